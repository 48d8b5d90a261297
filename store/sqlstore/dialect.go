package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pressly/goose/v3"

	"hotline/call"
)

// dialect is what differs between SQLite and PostgreSQL. Statements are written once, as SQLite has them, with ? or
// ?1 for their arguments.
type dialect struct {
	goose   goose.Dialect
	folder  string // of migrations, in the one embedded
	dollars bool   // arguments are $1, $2, …
	// covered follows a table's name where the planner must be told to count in the index alone.
	covered string
	// tables counts those of a name.
	tables string
	// alone, unless empty, is said at the beginning of a transaction that nobody else's of the kind may run beside,
	// on any node: it waits for them. SQLite's write lock does that anyhow.
	alone string
	// within bounds each question, and each row's writing; 0 where the database is a file, and nothing is to be waited for but the disk.
	within time.Duration
	// spoilt: a statement that is refused takes its transaction with it.
	spoilt bool
	// away reports that an error says the database does not serve now, whatever is asked.
	away func(err error) bool
	// refused reports whether a row was refused for what it is, so that to try again is useless.
	refused func(err error) bool
}

// sql is a statement as the database wants it.
func (d *dialect) sql(text string) string {
	if !d.dollars {
		return text
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, more := strings.Cut(text, "?")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteByte('$')
		if text = after; text == "" || text[0] < '0' || text[0] > '9' {
			b.WriteString(strconv.Itoa(n))
		}
	}
}

// bounded bounds a doing by within.
func (d *dialect) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.within == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d.within)
}

// explained is an error, which says call.ErrUnavailable too when the database is away.
func (d *dialect) explained(err error) error {
	if err == nil || errors.Is(err, call.ErrUnavailable) || !d.away(err) {
		return err
	}
	return fmt.Errorf("%w: %w", call.ErrUnavailable, err)
}

// ownFault reports whether a row was refused for what it is, or for its call being over.
func (d *dialect) ownFault(err error) bool {
	return errors.Is(err, call.ErrFinished) || d.refused(err)
}

// spoils reports whether the transaction cannot be trusted, or gone on with, after a row's error.
func (d *dialect) spoils(err error) bool {
	return errors.Is(err, ErrFault) || d.spoilt && d.refused(err)
}

// bit is a truth as the columns hold it: PostgreSQL takes no bool for a number.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// clean is text as the columns hold it: PostgreSQL refuses NUL and what is not UTF-8, which others may send us; JSON
// has them replaced or escaped already.
func clean(text string) string {
	if utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
