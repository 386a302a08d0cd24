package sqldb

import (
	"errors"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// IsUnique reports whether err is a violated primary key or unique index. Stores
// turn it into Conflict; which index it was is not to be asked, a sharded
// PostgreSQL does not say.
func IsUnique(err error) bool {
	return isPostgres(err, pqerror.UniqueViolation) ||
		isSQLite(err, lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// IsForeignKey reports whether err is a violated foreign key: the row referred
// to is missing, or rows still refer to the one deleted.
func IsForeignKey(err error) bool {
	return isPostgres(err, pqerror.ForeignKeyViolation) || isSQLite(err, lib.SQLITE_CONSTRAINT_FOREIGNKEY)
}

func isPostgres(err error, codes ...pqerror.Code) bool { return pq.As(err, codes...) != nil }

func isSQLite(err error, codes ...int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if e.Code() == code {
			return true
		}
	}
	return false
}
