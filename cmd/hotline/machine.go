package main

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"hotline/config"
)

// Where Linux says what it does with ports (Documentation/networking/ip-sysctl.rst). Both are for IPv6 too.
const (
	ephemeralFile = "/proc/sys/net/ipv4/ip_local_port_range"
	reservedFile  = "/proc/sys/net/ipv4/ip_local_reserved_ports"
)

// otherFiles is room for what is open beside calls: listeners, the database, pages that are watched, the log.
const otherFiles = 256

// machine is what the system below sets limits to. What it does not say is no limit.
type machine struct {
	read  func(file string) ([]byte, error)
	files func() (limit uint64, known bool) // how many descriptors this process may have open
	bind  func(netip.Addr) error            // bindable
}

// checkMachine holds a configuration against the machine that it is read on. Each finding is mild: the file
// may be for another machine, or calls are served until one of them meets the limit.
func checkMachine(cfg *config.Config) []config.Finding {
	return machine{read: os.ReadFile, files: openFiles, bind: bindable}.judge(cfg)
}

func (m machine) judge(cfg *config.Config) []config.Finding {
	return slices.Concat(m.judgeAddresses(cfg), m.judgePorts(cfg), m.judgeFiles(cfg))
}

// ports is a range of them, both ends included.
type ports struct{ low, high int }

func (p ports) String() string {
	if p.low == p.high {
		return strconv.Itoa(p.low)
	}
	return fmt.Sprintf("%d-%d", p.low, p.high)
}

// judgePorts finds ports of ours that the system may give to any program's outgoing connection meanwhile: a pair of
// RTP ports is then passed over, and a listener cannot be opened at the next start.
func (m machine) judgePorts(cfg *config.Config) []config.Finding {
	given, known := m.ephemeral()
	if !known {
		return nil
	}
	reserved := m.reserved()
	var findings []config.Finding
	wanted := slices.Clone(reserved) // what is set takes the place of what was
	find := func(path string, ours ports) {
		open := ours.within(given).without(reserved)
		if len(open) == 0 {
			return
		}
		wanted = append(wanted, open...)
		findings = append(findings, config.Finding{
			Path: path, Mild: true,
			Found: fmt.Sprintf("%v meets the ports %v that the system gives to outgoing connections", ours, given),
		})
	}
	for i, l := range cfg.SIP.Listen {
		if port := int(l.Address.Port()); port != 0 {
			find(fmt.Sprintf("sip.listen[%d]", i), ports{port, port})
		}
	}
	find("media.ports", ports{int(cfg.Media.Ports.Low), int(cfg.Media.Ports.High)})
	for i := range findings {
		findings[i].Want = "others, or these kept free: sysctl -w net.ipv4.ip_local_reserved_ports=" + portList(joined(wanted))
	}
	return findings
}

// ephemeral is the range that the system gives to outgoing connections.
func (m machine) ephemeral() (given ports, known bool) {
	text, err := m.read(ephemeralFile)
	if err != nil {
		return ports{}, false // another system, or one that does not tell
	}
	_, err = fmt.Sscan(string(text), &given.low, &given.high)
	return given, err == nil
}

// reserved are the ports that it leaves out of them, as "8080,9148-9200".
func (m machine) reserved() (reserved []ports) {
	text, err := m.read(reservedFile)
	if err != nil {
		return nil
	}
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, err1 := strconv.Atoi(low)
		last, err2 := strconv.Atoi(high)
		if err1 == nil && err2 == nil {
			reserved = append(reserved, ports{first, last})
		}
	}
	return reserved
}

// portList is how the system writes ranges.
func portList(all []ports) string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = p.String()
	}
	return strings.Join(texts, ",")
}

// within is the part of p that lies in another range; empty if its low end is above the high one.
func (p ports) within(other ports) ports {
	return ports{max(p.low, other.low), min(p.high, other.high)}
}

// without is what is left of p.
func (p ports) without(others []ports) (left []ports) {
	for _, o := range joined(others) {
		if o.high < p.low || o.low > p.high {
			continue
		}
		if p.low < o.low {
			left = append(left, ports{p.low, o.low - 1})
		}
		p.low = o.high + 1
	}
	if p.low <= p.high {
		left = append(left, p)
	}
	return left
}

// joined are ranges in order, those that touch as one.
func joined(all []ports) (out []ports) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b ports) int { return a.low - b.low })
	for _, p := range all {
		if last := len(out) - 1; last >= 0 && p.low <= out[last].high+1 {
			out[last].high = max(out[last].high, p.high)
			continue
		}
		out = append(out, p)
	}
	return out
}

// judgeFiles holds the calls that are let in against the descriptors that they need: two sockets a leg, a recording a
// call, a connection an agent; and the connections that strangers may have meanwhile, lest they take those. The soft limit
// needs no raising: Go sets it to the hard one when a program starts.
func (m machine) judgeFiles(cfg *config.Config) []config.Finding {
	limit, known := m.files()
	calls, agents := cfg.SIP.MaxCalls, len(cfg.Agents)
	legs := min(2*calls+agents, cfg.Media.Ports.Pairs())
	need := uint64(2*legs + calls + agents + otherFiles)
	if slices.ContainsFunc(cfg.SIP.Listen, config.Listener.Connected) {
		need += uint64(cfg.SIP.Abuse.Connections.All)
	}
	if !known || need <= limit {
		return nil
	}
	return []config.Finding{{
		Path: "sip.max_calls", Mild: true,
		Found: fmt.Sprintf("%d calls at once need up to %d open files, and the system allows %d", calls, need, limit),
		Want:  fmt.Sprintf("fewer, or LimitNOFILE=%d in the systemd unit, or ulimit -n %d by root before the start", need, need),
	}}
}
