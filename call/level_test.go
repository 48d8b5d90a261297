package call_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// From the counter Prometheus makes both service levels and the connect rate, and they are those of the records.
func TestServiceLevelIsThatOfTheRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		reg := prometheus.NewPedanticRegistry()
		targets := w.x.Targets
		targets.Wait = 15 * time.Second
		x, err := call.NewExchange(call.Options{
			Menus: w.x.Menus, Desk: w.x.Desk, Dialer: w.x.Dialer, Bridge: w.x.Bridge, Recorder: w.x.Recorder,
			Records: w.x.Records, Prompts: w.x.Prompts, Registry: reg, Targets: targets,
			Queues: map[string]call.QueueOptions{"repair": {Overflow: map[call.Overflow]call.Next{
				call.QueueFull:    call.DoneWith(call.Informed, call.ReasonMenu),
				call.QueueTooLong: {Kind: call.Dial, Number: outside},
			}}},
		})
		require.NoError(t, err)
		w.x = x
		w.line("call quick 13900000001 queue:repair; call slow 13900000002 queue:repair; call left 13900000003 queue:repair")
		w.line("call lost 13900000004 queue:repair; call full 13900000005 queue:repair; call own by=8001 queue:repair")
		require.True(t, w.seatOf("full").Turn(call.QueueFull))
		w.line("call over 13900000006 queue:repair")
		require.True(t, w.seatOf("over").Turn(call.QueueTooLong))
		synctest.Wait()
		w.line("answers contractor")
		<-time.After(10 * time.Second)
		w.line("answer quick 8002; end caller@left bye")
		<-time.After(10 * time.Second)
		w.line("answer slow 8003; end caller@lost bye; end caller@own bye")
		<-time.After(10 * time.Second)
		w.line("end caller@quick bye; end caller@slow bye; end caller@over bye")
		w.wg.Wait()

		var sum call.Summary
		for _, name := range w.names {
			sum.Count(w.books.finished(t, w.id(name)), targets.Wait)
		}
		level, _ := sum.ServiceLevel()
		answered, _ := sum.ServiceLevelOfAnswered()
		rate, _ := sum.ConnectRate()
		require.InDelta(t, 1.0/3, level, 1e-9)
		require.InDelta(t, 1.0/2, answered, 1e-9)
		require.InDelta(t, 2.0/6, rate, 1e-9)
		want := map[string]int{"answered-within": 1, "answered-after": 1, "abandoned-within": 1, "abandoned-after": 1, "informed": 1, "overflow": 1}
		var b strings.Builder
		b.WriteString("# HELP hotline_service_level_total Calls that entered a queue, by first queue and how they count. " +
			"Service level: answered-within / (answered-within + answered-after + abandoned-after), " +
			"or / (answered-within + answered-after). Connect rate: (answered-within + answered-after) / all.\n" +
			"# TYPE hotline_service_level_total counter\n")
		for _, outcome := range []string{
			"abandoned-after", "abandoned-within", "answered-after", "answered-within", "callback", "failed", "informed", "message", "overflow",
		} {
			fmt.Fprintf(&b, "hotline_service_level_total{outcome=%q,queue=\"repair\"} %d\n", outcome, want[outcome])
		}
		require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(b.String()), "hotline_service_level_total"))
	})
}
