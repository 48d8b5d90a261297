package acd_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

var update = flag.Bool("update", false, "write what the scripts did as what they want; read the difference")

// TestScripts runs every testdata/*.txtar: a desk, a script of what callers and agents do, and all
// that is wanted to happen, to the instant. In a script, each line is a time and a doing:
//
//	flow AGENT up|down          pause AGENT on|off      engaged AGENT
//	join CALL QUEUE|- [front] [once] [private] [agent=AGENT] [from=NUMBER]
//	leave CALL [CAUSE]          moved AGENT CALL QUEUE|-
//	progress AGENT CODE         answer AGENT            fail AGENT CAUSE
//	cross AGENT                 hangup AGENT            show [AGENT…|QUEUE…]
//	why CALL                    reload DESK-LINE | DESK-LINE…
//	place CALL…                 (by itself; and what limits_test.go adds to desk, join and records)
//	login AGENT QUEUE|-         logout AGENT QUEUE|-    pause AGENT on REASON
//	wrap-up AGENT CODE|extend|end                       dials AGENT CODE: the prompt heard
//	coded AGENT: the line is in use for a code          shift AGENT: all that is shown of one
//	talked AGENT QUEUE NUMBER AGO [agent|caller]: the record of a call that has ended, and who hung up
//
// why shows the decisions about a call so far. cross has the phone answer although it is withdrawn; hangup ends the agent's leg from its end.
// Several doings parted by a semicolon are done in the same instant, without the desk between them unless one
// waits for its answer.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			require.Len(t, archive.Files, 3, "desk, script, want")
			synctest.Test(t, func(t *testing.T) {
				o := parseDesk(t, string(archive.Files[0].Data))
				o.Codes = scriptCodes
				l := newLab(t, o)
				l.run(string(archive.Files[1].Data))
				got := strings.Join(append(l.log(), l.records()...), "\n") + "\n"
				if *update {
					archive.Files[2].Data = []byte(got)
					require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o600))
				}
				require.Equal(t, string(archive.Files[2].Data), got)
			})
		})
	}
}

// parseDesk reads lines such as "queue repair priority=20 wrap-up=5s level=5 widen=20s:3 widen=40s:1",
// "agent 8001 repair=5 weight=2", "ageing 6s" and "midnight 1m". A queue with
// ladder=ALL-SKILLED,EVERYONE,DUTY[,NUMBER…] is the alarms'.
func parseDesk(t *testing.T, text string) (o acd.Options) {
	t.Helper()
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch words[0] {
		case "queue":
			q := acd.Queue{Name: words[1], AfterReject: 10 * time.Second, AfterBusy: 20 * time.Second, AfterNoAnswer: 30 * time.Second, Unreachable: 40 * time.Second}
			for _, word := range words[2:] {
				key, value, _ := strings.Cut(word, "=")
				switch key {
				case "priority":
					q.Priority = number(t, value)
				case "strategy":
					q.Strategy = value
				case "ladder":
					after := strings.Split(value, ",")
					o.Ladder = acd.Ladder{
						Queue: q.Name, AllSkilled: duration(t, after[0]), Everyone: duration(t, after[1]), Duty: duration(t, after[2]),
						Numbers: after[3:],
					}
				case "progress":
					q.Progress = duration(t, value)
				case "alarm":
					q.Alarm = true
				case "level":
					q.Level = number(t, value)
				case "widen":
					after, level, _ := strings.Cut(value, ":")
					q.Widen = append(q.Widen, acd.Widening{After: duration(t, after), Level: number(t, level)})
				case "wrap-up":
					q.WrapUp = duration(t, value)
				default:
					if !shiftSetting(t, &q, key, value) {
						limit(t, &q, key, value)
					}
				}
			}
			o.Queues = append(o.Queues, q)
		case "agent":
			a := acd.Agent{ID: words[1], Name: "name of " + words[1], Skills: map[string]int{}}
			for _, word := range words[2:] {
				if word == "supervisor" {
					a.Supervisor = true
					continue
				}
				skill, level, _ := strings.Cut(word, "=")
				if skill == "weight" {
					a.Weight = number(t, level)
					continue
				}
				a.Skills[skill] = number(t, level)
			}
			o.Agents = append(o.Agents, a)
		case "ageing":
			o.Ageing = duration(t, words[1])
		case "midnight": // so long after the start
			o.Location = daysBeginAfter(duration(t, words[1]))
		case "open":
			o.Open = openFrom(t, o.Open, words[1:])
		default:
			t.Fatalf("unknown line %q", line)
		}
	}
	return o
}

func (l *lab) run(script string) {
	for line := range strings.Lines(script) {
		when, doings, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || when == "#" {
			continue
		}
		wait := duration(l.t, when) - time.Since(l.start)
		require.GreaterOrEqual(l.t, wait, time.Duration(0), "time goes backwards: %s", line)
		<-time.After(wait)
		synctest.Wait()
		l.together(strings.Split(doings, ";"))
		synctest.Wait()
	}
	l.stop()
}

// waits are the doings that wait for the desk's answer, so that it cannot be held meanwhile.
var waits = map[string]bool{
	"pause": true, "login": true, "logout": true, "wrap-up": true, "dials": true, "show": true, "shift": true,
}

// together does several doings in one instant, and holds the desk until all are done.
func (l *lab) together(doings []string) {
	hold := len(doings) > 1
	for _, doing := range doings {
		hold = hold && !waits[strings.Fields(doing)[0]]
	}
	if hold {
		defer l.center.Hold()()
		synctest.Wait()
	}
	for _, doing := range doings {
		l.do(strings.Fields(doing))
	}
}

func (l *lab) do(words []string) {
	verb, args := words[0], words[1:]
	switch verb {
	case "flow":
		l.center.Flow(args[0], args[1] == "up")
	case "pause":
		if args[1] == "on" {
			l.refused(words, l.center.Pause(args[0], strings.Join(args[2:], " ")))
		} else {
			l.refused(words, l.center.Ready(args[0]))
		}
	case "login":
		l.refused(words, l.center.Login(args[0], queueName(args[1])))
	case "logout":
		l.refused(words, l.center.Logout(args[0], queueName(args[1])))
	case "wrap-up":
		l.wrapUp(words, args[0], args[1])
	case "dials":
		prompt, err := l.center.Do(args[0], args[1])
		l.logf("dials %s %s: %s", args[0], args[1], prompt)
		l.refused(words, err)
	case "coded":
		l.center.Coded(args[0], l.newLeg(args[0]))
	case "shift":
		l.shift(args[0])
	case "talked":
		l.talked(args)
	case "engaged":
		l.center.Engaged(args[0], l.newLeg(args[0]))
	case "join":
		ticket := call.Ticket{CallID: args[0], Queue: queueName(args[1])}
		for _, arg := range args[2:] {
			if agent, ok := strings.CutPrefix(arg, "agent="); ok {
				ticket.Agent = agent
			}
			if from, ok := strings.CutPrefix(arg, "from="); ok {
				ticket.From = from
			}
			ticket.Front = ticket.Front || arg == "front"
			ticket.Once = ticket.Once || arg == "once"
			ticket.Private = ticket.Private || arg == "private"
			ticketWord(&ticket, arg)
		}
		l.join(ticket)
	case "leave":
		why := call.CauseCancel
		if len(args) > 1 {
			why = call.Cause(args[1])
		}
		l.logf("leave %s won=%t", args[0], l.seats[args[0]].Leave(why))
	case "progress":
		require.True(l.t, l.phones.progress(args[0], number(l.t, args[1])), "%v: does not ring", words)
	case "answer":
		require.True(l.t, l.phones.end(args[0], ""), "%v: does not ring", words)
	case "fail":
		require.True(l.t, l.phones.end(args[0], call.Cause(args[1])), "%v: does not ring", words)
	case "cross":
		l.phones.cross(args[0])
	case "moved":
		l.center.Moved(args[0], l.leg(args[0]).ID(), args[1], queueName(args[2]))
	case "hangup":
		l.leg(args[0]).End(call.Far, call.CauseBye)
	case "show":
		l.show(args)
	case "why":
		for i, d := range l.seats[args[0]].Decisions() {
			l.logf("why %s %d: at %s in %s by %s: %v of %v and %d more, not %v",
				args[0], i+1, d.At.Sub(l.start), d.Queue, d.Rule, d.Chosen, d.Candidates, d.More, d.Excluded)
		}
	case "place":
		l.place(args)
	case "reload": // by itself; the desk's lines parted by |
		l.reload(strings.ReplaceAll(strings.Join(args, " "), "| ", "\n"))
	default:
		l.t.Fatalf("unknown doing %q", verb)
	}
}

func (l *lab) show(names []string) {
	for _, name := range names {
		if _, err := strconv.Atoi(name); err == nil {
			a := l.agent(name)
			l.logf("%s", strings.TrimSpace(fmt.Sprintf("show %s %s %s", name, a.State, a.Call)))
			continue
		}
		q := l.queue(name)
		l.logf("show %s waiting=%d longest=%v ready=%d serving=%d offering=%d",
			name, q.Waiting, q.LongestWait, q.AgentsReady, q.AgentsServing, q.Offering)
	}
}

// records are the visits and offers of every caller, as they stand.
func (l *lab) records() (lines []string) {
	since := func(at *time.Time) string {
		if at == nil {
			return "-"
		}
		return at.Sub(l.start).String()
	}
	for _, name := range l.names {
		visit, offers := l.seats[name].Visit()
		promise := "-"
		if at := l.seats[name].PromiseClock(); !at.IsZero() {
			promise = since(&at)
		}
		lines = append(lines, fmt.Sprintf("visit %s %s entered=%s left=%s how=%s promise=%s",
			name, visit.Queue, since(&visit.Entered), since(visit.Left), visit.How, promise)+rejoined(visit, since))
		for _, o := range offers {
			lines = append(lines, fmt.Sprintf("offer %s %s sent=%s rung=%s ended=%s how=%s rings=%d",
				name, o.Agent+o.Number, since(&o.Sent), since(o.Rung), since(o.Ended), o.How, o.Rings))
		}
	}
	return lines
}

// queueName is a queue's name as a script has it: "-" is none.
func queueName(word string) string { return strings.TrimPrefix(word, "-") }

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return d
}
