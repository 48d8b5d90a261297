package media

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testWait is how long a test waits for what must come.
const testWait = 20 * time.Second

// What is told of a stream is told in order, by one goroutine at a time, and nothing is left over at the end.
func TestTeller(t *testing.T) {
	teller, s := newTeller(), new(stream)
	var told []int // written by the stream's goroutine alone, and read when that has ended
	for i := range 1000 {
		teller.tell(s, func() { told = append(told, i) })
	}
	teller.tell(s, func() { teller.tell(s, func() { told = append(told, 1000) }) })
	teller.end()
	require.Len(t, told, 1001)
	for i, n := range told {
		require.Equal(t, i, n)
	}
	require.Empty(t, teller.untold, "a stream that is gone is not remembered")
}

// A function that is slow delays what is told of its own stream, and of no other.
func TestTellerApart(t *testing.T) {
	slow := keyed(t)
	other, err := slow.core.Open(StreamOptions{})
	require.NoError(t, err)
	held, over := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(over) }) // before the engine is closed, which waits for it
	slow.OnKey(func(k Key) {
		if k == '1' {
			close(held)
			<-over
		}
	})
	told := make(chan Key, 1)
	other.OnKey(func(k Key) { told <- k })
	slow.Press('1')
	<-held
	slow.Press('2')
	other.Press('3')
	select {
	case k := <-told:
		require.Equal(t, Key('3'), k)
	case <-time.After(testWait):
		require.FailNow(t, "it waits for the other stream's function")
	}
}

// keyed is a stream of an engine of its own, whose keys nobody but the test presses.
func keyed(t *testing.T) *stream {
	t.Helper()
	e, err := NewPortable(Options{Address: netip.MustParseAddr("127.0.0.1"), Ports: freePorts(t, 10)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	s, err := e.Open(StreamOptions{})
	require.NoError(t, err)
	return s.(*stream)
}

// A flood of keys to a function that is slow is cut, and costs nobody memory; then keys are told again.
func TestKeysBounded(t *testing.T) {
	s := keyed(t)
	held, release := make(chan struct{}), make(chan struct{})
	told := make(chan Key, 10*maxUntold)
	s.OnKey(func(k Key) {
		if k == '*' {
			close(held)
			<-release
		}
		told <- k
	})
	s.Press('*')
	<-held
	for range 5 * maxUntold {
		s.Press('1')
	}
	close(release)
	require.Equal(t, Key('*'), <-told)
	for range maxUntold {
		require.Equal(t, Key('1'), <-told)
	}
	s.Press('2')
	require.Equal(t, Key('2'), <-told, "none beyond those that may wait")
}

// A key that waits to be told when another function is set, or the stream closed, is told to nobody.
func TestKeysOfBefore(t *testing.T) {
	s := keyed(t)
	held, release := make(chan struct{}), make(chan struct{})
	s.OnKey(func(Key) {
		held <- struct{}{}
		<-release
	})
	told := make(chan Key, 10)
	s.Press('1')
	<-held
	s.Press('2') // waits behind the first
	s.OnKey(func(k Key) {
		told <- k
		held <- struct{}{}
		<-release
	})
	s.Press('3')
	release <- struct{}{}
	<-held
	require.Equal(t, Key('3'), <-told, "what was pressed for the old function is not told to the new one")
	s.Press('4')
	require.NoError(t, s.Close())
	release <- struct{}{}
	require.NoError(t, s.core.Close())
	require.Empty(t, told)
}
