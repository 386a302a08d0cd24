package notice_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/example/notices/notice"
)

func TestBoard(t *testing.T) {
	t.Parallel()
	got := notice.NewBoard(sdk.NewSettings(map[string]any{
		"heading": "News", "shown": int64(3), "order": "newest", "dates": true, "refused_words": []string{"free"},
	}, map[string]string{"feed_token": "t"}))
	want := notice.Board{Heading: "News", Most: 3, NewestFirst: true, Dates: true, FeedToken: "t", RefusedWords: []string{"free"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBoardCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		board notice.Board
		field string
	}{
		{notice.Board{}, ""},
		{notice.Board{FeedToken: "0123456789abcdef", Heading: "Freedom", RefusedWords: []string{"free"}}, ""},
		{notice.Board{FeedToken: "0123456789abcde"}, "feed_token"},
		{notice.Board{Heading: "Now FREE!", RefusedWords: []string{"free"}}, "heading"},
	} {
		err := tc.board.Check()
		if fields := apperr.FieldsOf(err); (err != nil) != (tc.field != "") || tc.field != "" && fields[tc.field] == "" {
			t.Errorf("%+v: %v", tc.board, err)
		}
	}
}

func TestBoardAccept(t *testing.T) {
	t.Parallel()
	b := notice.Board{RefusedWords: []string{"Free", "for sale", "!"}}
	for text, refused := range map[string]bool{
		"free": true, "It is (free).": true, "FREE!": true, "freedom": false, "carefree": false,
		"New: for sale, now": true, "for a sale": false, "Hello!": false, "": false,
	} {
		if err := b.Accept(notice.Notice{Text: text}); (err != nil) != refused {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestBoardToday(t *testing.T) {
	t.Parallel()
	all := []notice.Notice{
		{ID: "1", FirstDay: "2026-06-01", LastDay: "2026-06-20"},
		{ID: "2", FirstDay: "2026-06-01", LastDay: "2026-06-10"},
		{ID: "3", FirstDay: "2026-06-09", LastDay: "2026-06-30"},
		{ID: "4", FirstDay: "2026-06-01", LastDay: "2026-06-10"},
	}
	for _, tc := range []struct {
		board notice.Board
		want  string
	}{
		{notice.Board{Most: 10}, "2 4 1"},
		{notice.Board{Most: 2}, "2 4"},
		{notice.Board{Most: 10, NewestFirst: true}, "4 2 1"},
		{notice.Board{}, "2"},
	} {
		var ids []string
		for _, n := range tc.board.Today(all, "2026-06-05") {
			ids = append(ids, n.ID)
		}
		if got := strings.Join(ids, " "); got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.board, got, tc.want)
		}
	}
	if all[0].ID != "1" {
		t.Error("Today sorts what it was given")
	}
}
