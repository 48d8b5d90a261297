package hep

import "github.com/prometheus/client_golang/prometheus"

// metrics count messages by what became of them.
type metrics struct {
	sent, dropped, failed prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	all := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hotline_hep_messages_total",
		Help: "SIP messages for the HEP server by outcome: sent; dropped, the queue was full or the message too large for a datagram; failed, the socket did.",
	}, []string{"outcome"})
	m := &metrics{
		sent: all.WithLabelValues("sent"), dropped: all.WithLabelValues("dropped"), failed: all.WithLabelValues("failed"),
	}
	if r == nil {
		return m, nil
	}
	return m, r.Register(all)
}
