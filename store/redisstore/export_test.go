package redisstore

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// SetClock has the book go by a clock of the test's.
func (b *Book) SetClock(clock func() time.Time) { b.clock = clock }

// Deeds are the connections by which scripts are run.
func (b *Book) Deeds() redis.UniversalClient { return b.deed }

// Keys are all keys of the book.
func (b *Book) Keys() []string { return b.keys }

// DecodeEntry reads an entry of the log.
var DecodeEntry = decodeEntry
