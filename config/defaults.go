package config

import (
	"maps"
	"net/netip"
	"time"
)

// The default time zone and names that other files need.
const (
	defaultTimezone   = "Asia/Shanghai"
	defaultMenu       = "main"
	defaultQueue      = "consult"
	gasAlarm          = "gas-alarm"
	defaultWaitPrompt = "please-wait"
	defaultMusic      = "hold-music"
)

// leastSE is below what no session timer may be bounded (RFC 4028 section 5).
const leastSE = 90 * time.Second

// day is a calendar day without daylight saving, the unit `d` of durations.
const day = 24 * time.Hour

// defaults returns what an empty file means, but for the time zone and MaxCalls, which are settled when
// everything was read. TestEmptyFileIsReference holds it against the reference.
func defaults() *Config {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	return &Config{
		Service: Service{Name: "城市燃气服务热线", Language: "zh"},
		SIP: SIP{
			Listen: []Listener{
				{Network: udp, Address: netip.AddrPortFrom(loopback, 5060)},
				{Network: tcp, Address: netip.AddrPortFrom(loopback, 5060)},
			},
			Realm:     "hotline",
			Digest:    []Digest{MD5},
			Ping:      10 * time.Second,
			T1:        500 * time.Millisecond,
			Expires:   Expires{Min: time.Minute, Max: time.Hour, Default: 5 * time.Minute},
			TraceKeep: 7 * day,

			Overload:       Overload{Lag: 50 * time.Millisecond, CPU: 85},
			TryingAfter:    50 * time.Millisecond,
			SessionExpires: 30 * time.Minute,
			MinSE:          leastSE,
			Abuse: Abuse{
				Requests: PerHost{50, 1000}, Invites: PerHost{5, 100}, Connections: PerHost{64, 3072},
				Failures: Failures{PerHost{10, 1000}, 30}, Ban: Ban{time.Minute, day},
			},
		},
		Media: Media{
			Address: loopback,
			Ports:   PortRange{Low: 20000, High: 24999},
			Codecs:  []Codec{PCMA, PCMU},
			Rest:    5 * time.Second,
			Timeout: 20 * time.Second,
			Inband:  InbandAuto,
			Engine:  EngineAuto,
		},
		Node:    Node{Site: "hotline"},
		Observe: Observe{HEP: HEP{ID: 2001}},
		HTTP:    HTTP{Listen: netip.AddrPortFrom(loopback, 8080)},
		Data:    "./data",
		Drain:   5 * time.Minute,
		Menus:   map[string]Menu{defaultMenu: menuDefaults(defaultMenu, MenuChoice)},
		Queues:  defaultQueues(),
		Ageing:  6 * time.Second,
		Codes:   codesDefaults(),
		Targets: Targets{
			AnswerRings:  3,
			Ring:         Ring{On: time.Second, Off: 4 * time.Second},
			Talk:         3 * time.Minute,
			Hold:         30 * time.Second,
			ServiceLevel: ServiceLevel{Percent: 90, Within: 15 * time.Second},
		},
		Alarm:    alarmDefaults(),
		Callback: callbackDefaults(),
		Recorder: Recorder{Enabled: true, Keep: 730 * day},
	}
}

// menuDefaults is what holds in a menu for the keys that it leaves out. Its choices are those of the
// reference in the menu of the reference; another menu's are its own.
func menuDefaults(name string, kind MenuKind) Menu {
	m := Menu{
		Kind:      kind,
		Prompt:    nodeKinds[kind].prompt,
		Wait:      6 * time.Second,
		Tries:     3,
		Next:      Destination{Hangup: kind == MenuHangup || kind == MenuSurvey || kind == MenuVoicemail},
		Digits:    Digits{Min: 1, Max: 20, End: "#", Confirm: true},
		Voicemail: Voicemail{Max: 3 * time.Minute, Silence: 5 * time.Second, Review: true},
		Survey:    Survey{SecondKeys: "01", Thanks: "survey-thanks"},
		Lookup:    Lookup{Method: "GET", Timeout: 3 * time.Second},
	}
	if nodeKinds[kind].otherwise {
		m.Otherwise = Destination{Queue: defaultQueue}
	}
	if name == defaultMenu && kind == MenuChoice {
		m.Keys = map[string]Destination{
			"1": {Queue: defaultQueue},
			"2": {Queue: "repair"},
			"3": {Queue: gasAlarm},
			"4": {Queue: "complaint"},
			"9": {Menu: defaultMenu},
		}
	}
	return m
}

// queueDefaults is what holds in a queue for the keys that it leaves out: for a queue of the reference
// what stands there.
func queueDefaults(name string) Queue {
	if q, ok := defaultQueues()[name]; ok {
		return q
	}
	return plainQueue(10)
}

func defaultQueues() map[string]Queue {
	alarm := plainQueue(100)
	alarm.Strategy, alarm.WaitPrompt = RingAll, "gas-safety"
	alarm.Position.Every = 0
	return map[string]Queue{
		defaultQueue: plainQueue(10),
		"repair":     plainQueue(20),
		"complaint":  plainQueue(20),
		gasAlarm:     alarm,
	}
}

func plainQueue(priority int) Queue {
	return Queue{
		Priority:      priority,
		Strategy:      LongestIdle,
		Progress:      10 * time.Second,
		Level:         1,
		WaitPrompt:    defaultWaitPrompt,
		WrapUp:        5 * time.Second,
		Shifts:        Shifts{WrapUpMax: 10 * time.Minute, Codes: map[string]string{}},
		AfterReject:   10 * time.Second,
		AfterBusy:     10 * time.Second,
		AfterNoAnswer: 10 * time.Second,
		Unreachable:   5 * time.Second,
		Whisper:       true,
		QueueLimits:   QueueLimits{WhenEmpty: EmptyWait, Rejoin: 3 * time.Minute},
		QueueWaiting:  QueueWaiting{Music: defaultMusic, Position: Position{Every: 30 * time.Second, Expected: true}},
	}
}

// referenceTrunk is the trunk that the reference shows. It is safe on loopback only.
func referenceTrunk() Trunk {
	return Trunk{
		Name:  "city",
		Allow: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 0}), 8)},
		Numbers: map[string]Destination{
			"96777": {Menu: defaultMenu},
			"96119": {Queue: gasAlarm},
		},
	}
}

// isReference reports whether a trunk was left as the reference shows it.
func (t Trunk) isReference() bool {
	ref := referenceTrunk()
	return t.Name == ref.Name && len(t.Allow) == 1 && t.Allow[0] == ref.Allow[0] &&
		maps.Equal(t.Numbers, ref.Numbers)
}
