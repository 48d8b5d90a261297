package media

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A room that is closed once more touches no line that another shard has meanwhile: the race detector would see it.
func TestRoomClosedTwice(t *testing.T) {
	c, _ := epollEngine(t, 2)
	a, b, other := openStream(t, c), openStream(t, c), openStream(t, c)
	for range 50 {
		r, err := c.Mix(nil, Party{Stream: a, Hears: []int{1}}, Party{Stream: b, Hears: []int{0}})
		require.NoError(t, err)
		r.Close()
		if homeOf(other.line) == homeOf(a.line) {
			other.do(func() {
				d := other.line.sockets.(*descriptors)
				from := d.home.Load()
				for _, s := range c.transport.(*epoll).shards {
					if s != from {
						from.move(d, s)
						return
					}
				}
			})
		}
		unbridge, err := c.Bridge(other, b, nil)
		require.NoError(t, err)
		var both sync.WaitGroup
		both.Go(r.Close)
		both.Go(unbridge)
		both.Wait()
	}
}
