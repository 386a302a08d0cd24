package peers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/mattermost/mattermost/server/public/model"
	mattermost "github.com/mattermost/mattermost/server/public/plugin"
	"github.com/mattermost/mattermost/server/public/shared/mlog"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"

	"github.com/billing-addons/customer-portal/ci-peers/page"
)

// server lets a plugin's process answer a request.
type server func(w http.ResponseWriter, r *http.Request) error

// BenchmarkBarePage serves a page of 8 KiB from a process of its own: over the
// wire of our add-ons, with and without encryption, through a whole host of ours,
// and over the wires of Mattermost and Grafana, which do not encrypt.
func BenchmarkBarePage(b *testing.B) {
	sides := []struct {
		name  string
		serve server
	}{
		{"mattermost", mattermostServer(b)},
		{"grafana", grafanaServer(b)},
		{"ours plain", wireServer(b, false)},
		{"ours encrypted", wireServer(b, true)},
		{"our whole host", hostServer(b)},
	}
	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			got := make([][]sample, len(sides))
			for i, side := range sides { // the first pages warm everything up
				_ = mustServe(b, side.name, side.serve, clients, 500)
				got[i] = make([]sample, rounds)
			}
			for b.Loop() {
				for round := range rounds {
					for i, side := range sides {
						got[i][round] = mustServe(b, side.name, side.serve, clients, 2000)
					}
				}
			}
			report(b, got, func(i int) string { return sides[i].name })
		})
	}
}

func report(b *testing.B, got [][]sample, name func(int) string) {
	b.Helper()
	p99 := func(s sample) time.Duration { return s.P99 }
	p50 := func(s sample) time.Duration { return s.P50 }
	for i, s := range got {
		b.Logf("%-15s %6.0f pages/s  p50 %5.0f µs  p99 %5.0f µs  pages/s against mattermost %.2f, grafana %.2f; p99 %.2f, %.2f (load %s)",
			name(i), median(s, sample.perSecond), micros(median(s, p50)), micros(median(s, p99)),
			ratio(s, got[0], sample.perSecond), ratio(s, got[1], sample.perSecond), ratio(s, got[0], p99), ratio(s, got[1], p99), load(b))
	}
	better := min(ratio(got[2], got[0], sample.perSecond), ratio(got[2], got[1], sample.perSecond))
	b.ReportMetric(better, "plain/better-peer")
	b.ReportMetric(min(ratio(got[3], got[0], sample.perSecond), ratio(got[3], got[1], sample.perSecond)), "encrypted/better-peer")
}

func mustServe(b *testing.B, name string, serve server, clients, count int) sample {
	b.Helper()
	s, err := repeat(clients, count, func() error {
		r := httptest.NewRequest(http.MethodGet, "/bare/northwind/", nil)
		r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36")
		r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
		r.Header.Set("Accept-Language", "en-US,en;q=0.9")
		r.Header.Set("Cookie", "bare-northwind-session=0123456789abcdef0123456789abcdef")
		w := httptest.NewRecorder()
		if err := serve(w, r); err != nil {
			return err
		}
		if w.Code != http.StatusOK || w.Body.Len() != page.Size {
			return fmt.Errorf("status %d, %d bytes", w.Code, w.Body.Len())
		}
		return nil
	})
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return s
}

// quiet is a log for go-plugin.
func quiet() hclog.Logger { return hclog.NewNullLogger() }

func mustDispense(b *testing.B, c *goplugin.ClientConfig, name string) any {
	b.Helper()
	client := goplugin.NewClient(c)
	b.Cleanup(client.Kill)
	protocol, err := client.Client()
	must(b, err)
	raw, err := protocol.Dispense(name)
	must(b, err)
	return raw
}

func ourConfig(program string, encrypted bool) *goplugin.ClientConfig {
	return &goplugin.ClientConfig{
		HandshakeConfig: wire.Handshake(), VersionedPlugins: wire.VersionedPlugins(nil), Cmd: exec.Command(program),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC}, GRPCDialOptions: wire.DialOptions(),
		AutoMTLS: encrypted, SkipHostEnv: true, Logger: quiet(),
	}
}

// noServices are those of a host that offers none.
type noServices struct{}

func (noServices) For(context.Context, string) (sdk.Host, error) { return sdk.Host{}, nil }

func startRequest() wire.StartRequest {
	return wire.StartRequest{Services: noServices{}, Key: make([]byte, 32), LogLevel: slog.LevelInfo}
}

func wireServer(b *testing.B, encrypted bool) server {
	b.Helper()
	client := mustDispense(b, ourConfig(mustBuild(b, "./ours"), encrypted), wire.AddonPlugin).(*wire.Client)
	_, err := client.Start(b.Context(), startRequest())
	must(b, err)
	return pageOf(client)
}

func pageOf(client *wire.Client) server {
	return func(w http.ResponseWriter, r *http.Request) error {
		call := sdk.Call{BillerID: "northwind", Locale: "en-US", BasePath: "/bare/northwind", RequestID: "0123456789", UserAgent: r.UserAgent()}
		return client.ServePage(r.Context(), wire.PageRequest{Surface: wire.Public, Call: call, Token: "token", Request: r},
			func(status int, h http.Header) (wire.ResponseBody, error) {
				for k, vs := range h {
					w.Header()[k] = vs
				}
				w.WriteHeader(status)
				return body{w}, nil
			})
	}
}

type body struct{ http.ResponseWriter }

func (b body) Flush() error { return http.NewResponseController(b.ResponseWriter).Flush() }

// hostServer is all that a host of ours does for a page: whose it is, what may
// pass, the token, the counting.
func hostServer(b *testing.B) server {
	b.Helper()
	dir := b.TempDir()
	must(b, hosttest.Pack(dir, "./ours", "ours/manifest.yaml"))
	h := hosttest.MustHost(b, func(c *host.Config, _ *hosttest.Platform) { c.Packages, c.Log = dir, slog.New(slog.DiscardHandler) })
	h.MustInstall("bare")
	handler := h.Handler()
	return func(w http.ResponseWriter, r *http.Request) error {
		handler.ServeHTTP(w, r)
		return nil
	}
}

// mattermostServer runs a plugin in Mattermost's own environment.
func mattermostServer(b *testing.B) server {
	b.Helper()
	dir := b.TempDir()
	must(b, os.MkdirAll(filepath.Join(dir, "bare"), 0o700))
	must(b, os.Rename(mustBuild(b, "./mattermost"), filepath.Join(dir, "bare", "plugin")))
	manifest, err := json.Marshal(map[string]any{"id": "bare", "version": "1.0.0", "server": map[string]any{"executable": "plugin"}})
	must(b, err)
	must(b, os.WriteFile(filepath.Join(dir, "bare", "plugin.json"), manifest, 0o600))
	log, err := mlog.NewLogger()
	must(b, err)
	noAPI := func(*model.Manifest) mattermost.API { return nil }
	env, err := mattermost.NewEnvironment(noAPI, nil, dir, b.TempDir(), log, nil)
	must(b, err)
	b.Cleanup(env.Shutdown)
	_, _, err = env.Activate("bare")
	must(b, err)
	hooks, err := env.HooksForPlugin("bare")
	must(b, err)
	return func(w http.ResponseWriter, r *http.Request) error {
		hooks.ServeHTTP(&mattermost.Context{RequestId: model.NewId(), UserAgent: r.UserAgent()}, w, r)
		return nil
	}
}

// grafanaServer does what Grafana's backend client and its sender do.
func grafanaServer(b *testing.B) server {
	b.Helper()
	raw := mustDispense(b, &goplugin.ClientConfig{
		Cmd: exec.Command(mustBuild(b, "./grafana")),
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: grpcplugin.ProtocolVersion, MagicCookieKey: grpcplugin.MagicCookieKey, MagicCookieValue: grpcplugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]goplugin.PluginSet{grpcplugin.ProtocolVersion: {"resource": &grpcplugin.ResourceGRPCPlugin{}}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC}, Logger: quiet(),
	}, "resource")
	client := raw.(grpcplugin.ResourceClient)
	return func(w http.ResponseWriter, r *http.Request) error {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		stream, err := client.CallResource(r.Context(), backend.ToProto().CallResourceRequest(&backend.CallResourceRequest{
			PluginContext: backend.PluginContext{Namespace: "org-1", PluginID: "bare-app"},
			Path:          r.URL.Path, Method: r.Method, URL: r.URL.String(), Headers: r.Header, Body: sent,
		}))
		if err != nil {
			return err
		}
		return passGrafana(w, stream)
	}
}

func passGrafana(w http.ResponseWriter, stream pluginv2.Resource_CallResourceClient) error {
	for begun := false; ; begun = true {
		out, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		res := backend.FromProto().CallResourceResponse(out)
		if !begun {
			for k, vs := range res.Headers {
				w.Header()[http.CanonicalHeaderKey(k)] = vs
			}
			w.WriteHeader(res.Status)
		}
		if _, err := w.Write(res.Body); err != nil {
			return err
		}
	}
}
