package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// The numbers of the town. Two agents alone serve the scarce queue, so that people wait there.
const (
	numberRepair = "96110"
	numberMenu   = "96777"
	numberAlarm  = "96119"
	numberScarce = "96120"
	agents       = 30
	scarceAgents = 2
)

// people is what the nodes have in common. Rings are short, as is everything else here: a minute is to have many calls.
func people(prompts string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
trunks:
  - name: city
    allow: [127.0.0.0/8]
    numbers: {"%s": {menu: main}, "%s": {queue: gas-alarm}, "%s": {queue: repair}, "%s": {queue: scarce}}
queues:
  repair:    {priority: 20, wrap_up: 0s, whisper: false, after_no_answer: 1s, after_reject: 1s, after_busy: 1s, unreachable: 1s}
  scarce:    {priority: 20, wrap_up: 0s, whisper: false, after_no_answer: 1s, after_reject: 1s, after_busy: 1s, unreachable: 1s}
  gas-alarm: {priority: 100, strategy: ring-all, wait_prompt: gas-safety, wrap_up: 0s, whisper: false}
menus:
  main: {prompt: welcome, wait: 2s, tries: 1, keys: {"2": {queue: repair}}, otherwise: {queue: repair}}
targets:
  ring: {on: 500ms, off: 500ms}
drain: 15s
recorder: {enabled: false}
prompts: {folder: %q}
agents:
`, numberMenu, numberAlarm, numberRepair, numberScarce, prompts)
	for i := range agents {
		skills := "repair: 5, gas-alarm: 5"
		if i >= agents-scarceAgents {
			skills = "scarce: 5, gas-alarm: 3"
		}
		fmt.Fprintf(&b, "  - {id: %q, password: %q, skills: {%s}}\n", agentID(i), agentPassword(i), skills)
	}
	return b.String()
}

// brief has the prompts before a talk as short as sounds can be, so that a minute has many talks.
func brief(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "zh"), 0o755))
	names := []string{"welcome", "agent-number-before", "agent-number-after"}
	for digit := range 10 {
		names = append(names, fmt.Sprint("digit-", digit))
	}
	for _, name := range names {
		testkit.WriteTone(t, filepath.Join(folder, "zh", name+".wav"), 400, 0.04)
	}
	return folder
}

func agentID(i int) string       { return fmt.Sprint(8001 + i) }
func agentPassword(i int) string { return fmt.Sprintf("word-%d", i) }

// town is the nodes, what they share, and everybody who calls and is called.
type town struct {
	t        *testing.T
	random   *rand.Rand
	studio   *studio
	diary    *diary
	begun    time.Time // when the first caller called
	faults   []fault
	postgres *testkit.Postgres
	database string
	redis    *testkit.Redis // nil for a node alone
	nodes    []*node
	phones   []*phone
	carrier  *carrier
}

// node is one of them, with the cables to the others.
type node struct {
	*testkit.Hotline
	host  netip.Addr
	alone atomic.Bool // cut off from the other nodes
	state *tcpRelay
	sip   *udpRelay
	http  *tcpRelay
	said  []string // by processes that were killed
}

// newTown starts so many nodes, and phones that register at them.
func newTown(t *testing.T, nodes int, seed uint64) *town {
	t.Helper()
	w := &town{t: t, random: rand.New(rand.NewPCG(seed, 6)), diary: &diary{}}
	w.postgres = testkit.StartPostgres(t)
	w.database = w.postgres.Database(t)
	w.build(nodes)
	w.studio = newStudio(t)
	addrs := make([]netip.AddrPort, nodes)
	for i, n := range w.nodes {
		addrs[i] = netip.MustParseAddrPort(n.SIP)
	}
	owner := func(a netip.Addr) int {
		for i, n := range w.nodes {
			if n.host == a {
				return i
			}
		}
		return -1
	}
	for i := range agents {
		w.phones = append(w.phones, newPhone(t, &phone{
			id: agentID(i), password: agentPassword(i), mark: firstAgentMark + mark(i), studio: w.studio, diary: w.diary,
			habits: habits{Refuse: 0.06, Ignore: 0.03, Pickup: 400 * time.Millisecond, HangUp: 1500 * time.Millisecond, Hasty: 0.3},
			random: rand.New(rand.NewPCG(seed, uint64(i))), nodes: addrs, owners: owner, first: i % nodes,
		}))
	}
	w.carrier = newCarrier(t, w.studio, w.diary, addrs)
	return w
}

// Ports on a node's own address: where other nodes reach it, and the relays before that.
const (
	portSIP       = 5070
	portSIPRelay  = 5071
	portHTTP      = 8070
	portHTTPRelay = 8071
	secret        = "what-the-nodes-of-a-test-have-in-common"
)

// build starts the nodes. Each is on an address of its own, and so is each test's set of them.
func (w *town) build(nodes int) {
	block, prompts := rand.IntN(200), brief(w.t)
	for i := range nodes {
		w.nodes = append(w.nodes, &node{host: netip.AddrFrom4([4]byte{127, 77, byte(20 + block), byte(11 + i)})})
	}
	if nodes > 1 {
		w.redis = testkit.StartRedis(w.t)
	}
	for i, n := range w.nodes {
		yaml := people(prompts)
		if nodes > 1 {
			yaml += w.joined(i)
		}
		n.Hotline = testkit.StartHotline(w.t, testkit.HotlineOptions{
			YAML: yaml, Race: true, Host: n.host.String(), MediaPorts: 2000, Expires: "10s", Records: w.database,
		})
	}
}

// joined is what makes a node one of several, and its cables: Redis and the other nodes are behind relays.
func (w *town) joined(i int) string {
	n := w.nodes[i]
	at := func(port int) string { return netip.AddrPortFrom(n.host, uint16(port)).String() }
	n.state = newTCPRelay(w.t, "127.0.0.1:0", w.redis.Addr())
	n.http = newTCPRelay(w.t, at(portHTTPRelay), at(portHTTP))
	n.sip = newUDPRelay(w.t, at(portSIPRelay), at(portSIP), func(from netip.Addr) bool {
		if n.alone.Load() {
			return true
		}
		for _, m := range w.nodes {
			if m.host == from && m.alone.Load() {
				return true
			}
		}
		return false
	})
	return fmt.Sprintf(`
state: "redis://%s"
node:
  name: node-%d
  site: chaos
  sip: {address: "%s", advertise: "%s"}
  http: {address: "%s", advertise: "%s"}
  secret: %s
`, n.state.Addr, i, at(portSIP), at(portSIPRelay), at(portHTTP), at(portHTTPRelay), secret)
}

// ready waits until every phone is registered somewhere.
func (w *town) ready() {
	w.t.Helper()
	for _, p := range w.phones {
		testkit.Within(w.t, testkit.Patience, "phone "+p.id+" to be registered", func() (done bool) {
			p.e.do(func() { done = p.granted })
			return done
		})
	}
}

// load has callers call at a rate, until stopped.
func (w *town) load(rate float64, stop <-chan struct{}) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	random := rand.New(rand.NewPCG(w.random.Uint64(), 7))
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		w.carrier.dial(random.IntN(len(w.nodes)), w.wish(i, random))
	}
}

// wish is what the caller who comes as the nth wants: every 50th has an alarm, every 40th wants a scarce agent.
func (w *town) wish(n int, random *rand.Rand) wish {
	talk := 150*time.Millisecond + time.Duration(random.Int64N(int64(400*time.Millisecond)))
	// Patience differs: were it the same for all, those at the head of a long queue would all be about to hang up.
	patience := 4*time.Second + time.Duration(random.Int64N(int64(8*time.Second)))
	switch {
	case n%50 == 25:
		return wish{Number: numberAlarm, Key: noKey, Talk: talk, Pause: 20 * time.Second, Redials: 10}
	case n%40 == 20:
		return wish{Number: numberScarce, Key: noKey, Talk: 10 * talk, Pause: 25 * time.Second, Redials: 4}
	case n%4 == 0:
		return wish{Number: numberMenu, Key: 2, Talk: talk, Pause: 3*time.Second + patience, Redials: 2}
	default:
		return wish{Number: numberRepair, Key: noKey, Talk: talk, Pause: patience, Redials: 2}
	}
}

// rows are all records, once every call is over and written, or after a while.
func (w *town) rows() []row {
	w.t.Helper()
	var rows []row
	testkit.Within(w.t, 90*time.Second, "every record to be written and finished", func() bool {
		open, err := w.postgres.SQL(w.database, "SELECT count(*) FROM calls WHERE finished = 0")
		return err == nil && len(open) == 1 && open[0] == "0"
	})
	lines, err := w.postgres.SQL(w.database, "SELECT id, from_number, queue, result, reason, node, started, finished, record FROM calls ORDER BY started")
	require.NoError(w.t, err)
	for _, line := range lines {
		f := strings.SplitN(line, "|", 9)
		require.Len(w.t, f, 9)
		var started int64
		_, err := fmt.Sscan(f[6], &started)
		require.NoError(w.t, err)
		var record struct {
			Visits []testkit.Visit `json:"visits"`
		}
		require.NoError(w.t, json.Unmarshal([]byte(f[8]), &record))
		r := row{ID: f[0], From: f[1], Queue: f[2], Result: f[3], Reason: f[4], Node: f[5], Started: time.Unix(0, started), Finished: f[7] == "1"}
		for _, v := range record.Visits {
			if v.Rejoined && v.Since != nil {
				r.Rejoined, r.Since = true, *v.Since
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// engaged counts the phones that ring or talk.
func (w *town) engaged() (n int) {
	for _, p := range w.phones {
		p.e.do(func() {
			if p.live != nil {
				n++
			}
		})
	}
	return n
}

// evidence ends everything and gathers what was seen.
func (w *town) evidence(faults []fault, calm span) *evidence {
	w.t.Helper()
	e := &evidence{Faults: faults, Calm: calm, Alarm: numberAlarm, Scarce: numberScarce}
	deadline := time.Now().Add(45 * time.Second)
	for w.carrier.under() > 0 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
	}
	w.carrier.finish()
	for deadline := time.Now().Add(orphanWithin); w.engaged() > 0 && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
	for _, p := range w.phones {
		p.finish()
		e.Agents = append(e.Agents, p.id)
	}
	e.Rows = w.rows()
	e.Stalls = w.studio.stalled()
	w.diary.mu.Lock()
	defer w.diary.mu.Unlock()
	e.Legs, e.Attempts = append([]leg(nil), w.diary.legs...), append([]attempt(nil), w.diary.attempts...)
	return e
}
