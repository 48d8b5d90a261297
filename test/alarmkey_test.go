package test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestAlarmKey: who smells gas presses one key wherever they are: in the prompt of a menu within the menu, while waiting for
// an agent, and while being asked whether to be called back. It rings the alarm's agent at once.
func TestAlarmKey(t *testing.T) {
	t.Parallel()
	yaml := strings.Replace(outward(1), `"2": {queue: repair}}`, `"2": {queue: repair}, "5": {menu: more}}`, 1)
	yaml = strings.Replace(yaml, "menus:\n", "menus:\n  more: {prompt: gas-safety, keys: {\"1\": {queue: consult}}, otherwise: {queue: consult}}\n", 1)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: yaml, Race: true, Ping: "10m"})
	phone := agent(t, h, "8004", testkit.BaresipOptions{Auto: true})
	for _, way := range []struct {
		name, from, number, path string
		left                     string // how the stay in the queue ended; empty: there was none
		until                    func(c *testkit.Baresip)
	}{
		{"in a menu's menu", "13900000001", "96777", "main/5/more/*", "", func(c *testkit.Baresip) {
			c.SendDigit('5')
			h.AwaitCall("in the second menu", func(r testkit.Record) bool { return r.MenuPath == "main/5" })
		}},
		{"waiting", "13900000002", "96110", "repair/*", "moved", func(*testkit.Baresip) { h.AwaitWaiting("repair", 1) }},
		{"asked for a callback", "13900000003", "96110", "repair/1/repair/*", "moved", func(c *testkit.Baresip) {
			h.AwaitWaiting("repair", 1)
			c.SendDigit('1')
			h.AwaitWaiting("repair", 0)
		}},
	} {
		c := caller(t, testkit.BaresipOptions{User: way.from})
		c.Dial(h.Number(way.number))
		c.Await(testkit.CallEstablished)
		way.until(c)
		c.SendDigit('*')
		phone.Await(testkit.CallEstablished)
		of := func(r testkit.Record) bool { return r.From == way.from }
		r := h.AwaitCall("alarm answered", func(r testkit.Record) bool { return of(r) && len(r.Talks) == 1 })
		require.Equal(t, "8004", r.Agent, way.name)
		last := len(r.Visits) - 1
		require.Equal(t, "gas-alarm", r.Visits[last].Queue, way.name)
		if way.left != "" {
			require.Equal(t, []string{"repair", way.left}, []string{r.Visits[0].Queue, r.Visits[0].How}, way.name)
		}
		require.Equal(t, way.path, r.MenuPath, way.name)
		require.Empty(t, r.Callback, way.name)
		c.Hangup()
		phone.Await(testkit.CallClosed)
		r = h.AwaitCall("finished", func(r testkit.Record) bool { return of(r) && testkit.Finished(r) })
		require.Equal(t, "caller", r.Release, way.name)
		h.AwaitAgent("8004", "ready")
	}
	require.InDelta(t, 0, h.Metric("hotline_callbacks_open"), 0)
}
