package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hotline/media/mediaload"
)

// What is wanted of a recorded, bridged call.
const (
	mediaWantCPU     = 1.2 // ms per call-second
	mediaWantStretch = 1.0
	mediaWantRatio   = 0.75 // of the plain relay's
	mediaWantMemory  = 100  // kB a call
	mediaWantAllocs  = 0.1  // a packet: none, but RTCP reports and the writing of files make some
	mediaWantP50     = 0.3  // ms
	mediaWantP99     = 5    // ms
	mediaLatencyAt   = 200  // calls
	mediaLossAt      = 400  // calls
)

// mediaRow is one server at one number of calls: the round in the middle by CPU, but the ratio in the middle of the
// rounds' own, and the packets of all rounds.
type mediaRow struct {
	Engine     string  `json:"engine,omitempty"`
	Mode       string  `json:"mode"`
	Calls      int     `json:"calls"`
	User       float64 `json:"user_ms_per_call_second"`
	System     float64 `json:"system_ms_per_call_second"`
	CPU        float64 `json:"cpu_ms_per_call_second"`
	TimesPlain float64 `json:"times_plain"`
	Memory     float64 `json:"kilobytes_per_call"`
	Allocs     float64 `json:"allocations_per_packet"`
	Others     float64 `json:"cores_of_others"`
	Sent       int     `json:"sent"`
	Refused    int     `json:"refused"`
	mediaload.Counts
	P50     float64 `json:"added_latency_p50_ms"`
	P99     float64 `json:"added_latency_p99_ms"`
	Max     float64 `json:"added_latency_max_ms"`
	LoadP99 float64 `json:"load_lateness_p99_ms"`
	Held    float64 `json:"load_held_ms"`
}

func (r *mediaRow) kind() mediaKind { return mediaKind{r.Engine, r.Mode} }

// mediaRowOf makes a row of a server's rounds and those of the plain relay that they took turns with.
func mediaRowOf(calls int, k mediaKind, rounds, plain []mediaRound) mediaRow {
	ratios := make([]float64, len(rounds))
	for i := range rounds {
		ratios[i] = float64(rounds[i].perCallSecond()) / float64(max(1, plain[i].perCallSecond()))
	}
	slices.Sort(ratios)
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b mediaRound) int { return int(a.perCallSecond() - b.perCallSecond()) })
	m := sorted[len(sorted)/2]
	each := func(d time.Duration) float64 { return milliseconds(d) / m.callSeconds }
	row := mediaRow{
		Engine: k.engine, Mode: k.mode, Calls: calls,
		User: each(m.user), System: each(m.sys), CPU: each(m.user + m.sys), TimesPlain: ratios[len(ratios)/2],
		Memory: m.memory / 1000, Allocs: m.allocations, Others: m.others,
		P50: milliseconds(m.load.Latency.Quantile(0.5)), P99: milliseconds(m.load.Latency.Quantile(0.99)),
		Max: milliseconds(m.load.Latency.Max()), LoadP99: milliseconds(m.load.Lateness.Quantile(0.99)), Held: milliseconds(m.load.Held),
	}
	for i := range rounds {
		row.Sent += rounds[i].load.Sent
		row.Refused += rounds[i].load.Refused
		row.Add(rounds[i].load.Counts)
	}
	return row
}

// mediaReport prints what was found, as it is found.
type mediaReport struct {
	con  *console
	json bool
	rows []mediaRow
	err  error // of what could not be written
}

func (r *mediaReport) head(b *benchMediaCmd) {
	if r.json {
		return
	}
	r.con.say("Each call has two phones that send a packet each 20 ms, spread evenly; the server\n"+
		"is another process, started anew for each round of %d s; %d rounds in turn, of\n"+
		"which the middle one by CPU is shown (x plain: the middle of the ratios). CPU is in\n"+
		"ms per call-second, of the server alone; memory is what it has more than without\n"+
		"calls; \"others\" are the processors that others had meanwhile.\n\n%s\n", b.Seconds, b.Pairs,
		cells("server", 19, "calls", 6, "user", 7, "sys", 7, "CPU", 7, "x plain", 8, "kB/call", 8, "allocs", 8, "others", 7))
}

func (r *mediaReport) row(row mediaRow) {
	r.rows = append(r.rows, row)
	if r.json {
		text, err := json.Marshal(row)
		if err != nil {
			r.err = fmt.Errorf("write figures: %w", err)
			return
		}
		r.con.say("%s\n", text)
		return
	}
	r.con.say("%s\n", cells(row.kind(), 19, row.Calls, 6, decimals(row.User, 3), 7, decimals(row.System, 3), 7,
		decimals(row.CPU, 3), 7, decimals(row.TimesPlain, 2), 8, decimals(row.Memory, 1), 8, decimals(row.Allocs, 4), 8,
		decimals(row.Others, 2), 7))
}

func decimals(x float64, n int) string { return fmt.Sprintf("%.*f", n, x) }

func (r *mediaReport) foot() {
	if r.json {
		return
	}
	r.con.say("\nplain: a goroutine for each socket reads a packet, sends it on as it is, and has the\n"+
		"same recorder hear it; no RTCP, no check. relay: the engine's bridge; recorded: and\n"+
		"the recorder; srtp: recorded, and encrypted with both phones (AES_CM_128_HMAC_SHA1_80);\n"+
		"prompts: callers alone, each of whom hears a prompt and speaks.\n\n"+
		"What came of the packets of all rounds, and ms from the sending to the phone's socket\n"+
		"(prompts: after their turn); \"load\" is by how much the load itself was late (p99).\n\n%s\n",
		cells("server", 19, "calls", 6, "sent", 9, "lost", 6, "foreign", 8, "order", 6, "twice", 6, "late", 8, "odd", 5,
			"p50", 7, "p99", 7, "max", 7, "load", 6))
	for i := range r.rows {
		row := &r.rows[i]
		r.con.say("%s\n", cells(row.kind(), 19, row.Calls, 6, row.Sent, 9, row.Lost, 6, row.Foreign, 8, row.Disordered, 6,
			row.Doubled, 6, row.Late, 8, row.Damaged+row.Silent, 5, decimals(row.P50, 2), 7, decimals(row.P99, 2), 7,
			decimals(row.Max, 1), 7, decimals(row.LoadP99, 2), 6))
	}
	r.con.say("\nforeign: audio of another call. late: more than 20 ms under way. odd: silence, or what\nnobody said.\n")
	for _, verdict := range mediaVerdicts(r.rows) {
		r.con.say("%s\n", verdict)
	}
}

// mediaVerdicts say of each engine that recorded what of the wanted was kept.
func mediaVerdicts(rows []mediaRow) (lines []string) {
	of := map[string][]mediaRow{}
	var engines []string
	for _, row := range rows {
		if row.Mode != mediaRecorded {
			continue
		}
		if of[row.Engine] == nil {
			engines = append(engines, row.Engine)
		}
		of[row.Engine] = append(of[row.Engine], row)
	}
	at := func(rows []mediaRow, calls int) []mediaRow {
		return slices.DeleteFunc(slices.Clone(rows), func(r mediaRow) bool { return r.Calls != calls })
	}
	for _, engine := range engines {
		all := of[engine]
		lines = append(lines, "", "Wanted of a recorded, bridged call, of engine "+engine+":",
			mediaVerdict(fmt.Sprintf("at most %.2f ms CPU per call-second", mediaWantCPU), all, mediaWantCPU, 3, func(r *mediaRow) float64 { return r.CPU }),
			mediaVerdict(fmt.Sprintf("at most %.2f, the stretch", mediaWantStretch), all, mediaWantStretch, 3, func(r *mediaRow) float64 { return r.CPU }),
			mediaVerdict(fmt.Sprintf("at most %.2f of the plain relay's", mediaWantRatio), all, mediaWantRatio, 2, func(r *mediaRow) float64 { return r.TimesPlain }),
			mediaVerdict(fmt.Sprintf("at most %d kB a call", mediaWantMemory), all, mediaWantMemory, 1, func(r *mediaRow) float64 { return r.Memory }),
			mediaVerdict(fmt.Sprintf("no allocation a packet (%.2f are of reports and files)", mediaWantAllocs), all, mediaWantAllocs, 4, func(r *mediaRow) float64 { return r.Allocs }),
			mediaVerdict(fmt.Sprintf("no packet lost at %d calls", mediaLossAt), at(all, mediaLossAt), 0, 0, func(r *mediaRow) float64 { return float64(r.Lost) }),
			mediaVerdict("none of another call", all, 0, 0, func(r *mediaRow) float64 { return float64(r.Foreign) }),
			mediaVerdict(fmt.Sprintf("added latency p50 at most %.1f ms at %d calls", mediaWantP50, mediaLatencyAt), at(all, mediaLatencyAt), mediaWantP50, 3, func(r *mediaRow) float64 { return r.P50 }),
			mediaVerdict(fmt.Sprintf("p99 at most %d ms at %d calls", mediaWantP99, mediaLatencyAt), at(all, mediaLatencyAt), mediaWantP99, 2, func(r *mediaRow) float64 { return r.P99 }))
	}
	return lines
}

// mediaVerdict says whether a figure stayed within a limit in every row, and where it did not.
func mediaVerdict(what string, rows []mediaRow, limit float64, digits int, figure func(*mediaRow) float64) string {
	if len(rows) == 0 {
		return "  " + what + ": not measured."
	}
	most, broken := 0.0, []string(nil)
	for i := range rows {
		x := figure(&rows[i])
		most = max(most, x)
		if x > limit {
			broken = append(broken, fmt.Sprintf("%s at %d calls", decimals(x, digits), rows[i].Calls))
		}
	}
	if broken != nil {
		return "  " + what + ": not kept: " + strings.Join(broken, ", ") + "."
	}
	return "  " + what + ": kept; at most " + decimals(most, digits) + "."
}
