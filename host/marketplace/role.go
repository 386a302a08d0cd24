package marketplace

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// The roles of a marketplace. Each signs a file of its own.
const (
	// RoleRoot says which keys count. Keep its keys off the machine that serves.
	RoleRoot = metadata.ROOT
	// RoleTargets says which packages are offered.
	RoleTargets = metadata.TARGETS
	// RoleSnapshot says which version of the list is current.
	RoleSnapshot = metadata.SNAPSHOT
	// RoleTimestamp says that all of it is fresh.
	RoleTimestamp = metadata.TIMESTAMP
)

// Roles returns the names of the roles, the most powerful first.
func Roles() []string { return []string{RoleRoot, RoleTargets, RoleSnapshot, RoleTimestamp} }

const day = 24 * time.Hour

// lifetime is how long what a role signs is valid.
func lifetime(role string) time.Duration {
	switch role {
	case RoleRoot, RoleTargets:
		return 365 * day
	case RoleSnapshot:
		return 30 * day
	}
	return 7 * day
}

// renewal is how long before its end Refresh renews root and targets.
const renewal = 60 * day

// Expiry is until when what a role signed is valid.
type Expiry struct {
	Role string
	At   time.Time
}

func checkRole(role string) error {
	if !slices.Contains(Roles(), role) {
		return apperr.Errorf(apperr.Invalid, "There is no role %q; the roles are root, targets, snapshot and timestamp.", role)
	}
	return nil
}

// fileName is the name of what a role signed in a version; that of the timestamp
// has none.
func fileName(role string, version int64) string {
	if role == RoleTimestamp {
		return role + ".json"
	}
	return fmt.Sprintf("%d.%s.json", version, role)
}

// described is how one file of metadata names another.
func described(version int64, data []byte) *metadata.MetaFiles {
	sum := sha256.Sum256(data)
	return &metadata.MetaFiles{
		Version: version, Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]},
	}
}
