package web

import (
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the server. They count whether or not a registry takes them.
type metrics struct {
	requests *prometheus.CounterVec // by route's pattern and status
	tokens   *prometheus.CounterVec // by what became of them
	taken    []prometheus.Collector // by the registry
}

func newMetrics() metrics {
	return metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hotline_http_requests_total", Help: "HTTP requests answered, by route and status.",
	}, []string{"route", "code"}), tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hotline_http_tokens_total", Help: "Requests that need a token, by what became of it: right, wrong, missing, refused.",
	}, []string{"outcome"})}
}

func (m *metrics) token(outcome string) { m.tokens.WithLabelValues(outcome).Inc() }

func (m *metrics) answered(route string, status int) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
}

func (m *metrics) register(reg prometheus.Registerer, watchers func() int) error {
	if reg == nil {
		return nil
	}
	watching := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hotline_http_watchers", Help: "Connections that watch the live events.",
	}, func() float64 { return float64(watchers()) })
	for _, c := range []prometheus.Collector{m.requests, m.tokens, watching} {
		if err := reg.Register(c); err != nil {
			m.unregister(reg)
			return fmt.Errorf("register metrics of the web server: %w", err)
		}
		m.taken = append(m.taken, c)
	}
	return nil
}

func (m *metrics) unregister(reg prometheus.Registerer) {
	for _, c := range m.taken {
		reg.Unregister(c)
	}
	m.taken = nil
}
