package media

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one engine. The fields are the labelled counters themselves, so that a packet costs no
// look-up.
type metrics struct {
	in, out, lost prometheus.Counter
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	packets := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hotline_rtp_packets_total",
		Help: "RTP packets received from, or sent to, the far ends of streams.",
	}, []string{"direction"})
	lost := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hotline_rtp_lost_total",
		Help: "RTP packets that never came, by sequence numbers (RFC 3550 A.3); counted when a stream closes.",
	})
	if registry != nil {
		for _, c := range []prometheus.Collector{packets, lost} {
			if err := registry.Register(c); err != nil {
				return nil, fmt.Errorf("register RTP metrics: %w", err)
			}
		}
	}
	return &metrics{in: packets.WithLabelValues("in"), out: packets.WithLabelValues("out"), lost: lost}, nil
}
