package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// certificateLooks is from one look at the files of certificates to the next.
const certificateLooks = 5 * time.Second

// What became of a certificate's files; a metric's label.
const (
	certificateLoaded  = "loaded"
	certificateRefused = "refused"
)

// CheckCertificate tells why two files of PEM, a certificate with its chain and its key, are not fit for a listener; nil if
// they are. One whose time is over is: a listener that shows it serves all who do not look at it.
func CheckCertificate(certificate, key string) error {
	_, err := readCertificate(certificate, key)
	return err
}

func readCertificate(certificate, key string) (*shown, error) {
	c, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s with the key %s: %w", certificate, key, err)
	}
	return &shown{c, certificate, key}, nil
}

// certificate is what one listener shows.
type certificate struct {
	listener   string // as it is configured
	now        atomic.Pointer[shown]
	seen, told filesSeen // of run alone: how the files were at the last look, and when they were last judged
	judged     *shown    // likewise: what was in force then
}

// shown is a certificate, and the files it was read from. It is immutable.
type shown struct {
	tls.Certificate
	file, key string
}

// filesSeen tells files that have changed from those that have not.
type filesSeen struct {
	changed [2]time.Time
	size    [2]int64
}

func look(file, key string) (s filesSeen) {
	for i, name := range []string{file, key} {
		if at, err := os.Stat(name); err == nil { // what is not there is seen as such
			s.changed[i], s.size[i] = at.ModTime(), at.Size()
		}
	}
	return s
}

// errCertificateOver: a new certificate is worse than the one it would replace.
var errCertificateOver = errors.New("its time is over, and that of the one in force is not")

// read reads two files for the listener. Errors: they cannot be read, do not belong together, or hold a certificate whose
// time is over while one is in force whose is not.
func (c *certificate) read(file, key string) (*shown, error) {
	next, err := readCertificate(file, key)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", c.listener, err)
	}
	now, old := time.Now(), c.now.Load()
	if old != nil && next.Leaf.NotAfter.Before(now) && old.Leaf.NotAfter.After(now) {
		return nil, fmt.Errorf("certificate of %s: %s, until %s: %w", c.listener, file, next.Leaf.NotAfter.Format(time.DateTime), errCertificateOver)
	}
	return next, nil
}

// certificates are those of all listeners.
type certificates struct {
	metrics *metrics
	log     *zap.Logger
	list    []*certificate
	mu      sync.Mutex // held while one is put in force
}

// newCertificates reads the certificates of all listeners that want one. Errors: those of CheckCertificate.
func newCertificates(ls []Listener, m *metrics, log *zap.Logger) (*certificates, error) {
	all := &certificates{metrics: m, log: log}
	for _, o := range ls {
		if o.Network != networkTLS && o.Network != networkWSS {
			continue
		}
		c := &certificate{listener: o.name(), seen: look(o.Certificate, o.Key)}
		c.told = c.seen
		all.list = append(all.list, c)
	}
	next, err := all.read(ls)
	if err != nil {
		return nil, err
	}
	all.put(next)
	for c, one := range next {
		c.judged = one
	}
	return all, nil
}

// of is the certificate of a listener; nil where it has none.
func (a *certificates) of(o Listener) *certificate {
	for _, c := range a.list {
		if c.listener == o.name() {
			return c
		}
	}
	return nil
}

// read reads those of listeners that are there; nothing changes by it, and an error tells of every one that cannot be had.
func (a *certificates) read(ls []Listener) (map[*certificate]*shown, error) {
	next := make(map[*certificate]*shown, len(a.list))
	var errs []error
	for _, o := range ls {
		c := a.of(o)
		if c == nil {
			continue // it has none, or is there after a restart
		}
		one, err := c.read(o.Certificate, o.Key)
		if err != nil {
			a.metrics.certs.WithLabelValues(certificateRefused).Inc()
			errs = append(errs, err)
		}
		next[c] = one
	}
	return next, errors.Join(errs...)
}

// put has who connects from now on shown these. What is open stays as it is.
func (a *certificates) put(next map[*certificate]*shown) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for c, one := range next {
		a.putLocked(c, one)
	}
}

// replace puts one in force that was read for what is in force as old. It does nothing where that is not in force any more:
// a reload has named other files meanwhile, and has read them.
func (a *certificates) replace(c *certificate, old, one *shown) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.now.Load() == old {
		a.putLocked(c, one)
	}
}

func (a *certificates) putLocked(c *certificate, one *shown) {
	old := c.now.Swap(one)
	a.metrics.certs.WithLabelValues(certificateLoaded).Inc()
	a.metrics.expires.WithLabelValues(c.listener).Set(float64(one.Leaf.NotAfter.Unix()))
	fields := []zap.Field{
		zap.String("listener", c.listener), zap.String("file", one.file), zap.String("subject", one.Leaf.Subject.String()),
		zap.Time("until", one.Leaf.NotAfter),
	}
	if one.Leaf.NotAfter.Before(time.Now()) {
		a.log.Warn("certificate of a listener is out of date: put another in its file", fields...)
	} else if old != nil && !old.Leaf.Equal(one.Leaf) {
		a.log.Info("certificate of a listener exchanged", fields...)
	}
}

// run looks at the files until ctx is done, and puts in force what they hold when they have changed, and are not being
// changed any more: the two are hardly ever written in one instant.
func (a *certificates) run(ctx context.Context, every time.Duration) error {
	if len(a.list) == 0 {
		return nil
	}
	return again(ctx, every, func(time.Time) {
		for _, c := range a.list {
			a.lookAt(c)
		}
	})
}

// again does something at intervals until ctx is done, and returns nil then.
func again(ctx context.Context, every time.Duration, do func(now time.Time)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			do(now)
		}
	}
}

func (a *certificates) lookAt(c *certificate) {
	before, old := c.seen, c.now.Load()
	if old != c.judged { // a reload's, which may have read the files before they were changed
		c.told, c.judged = filesSeen{}, old
	}
	c.seen = look(old.file, old.key)
	if c.seen != before || c.seen == c.told {
		return
	}
	c.told = c.seen
	next, err := c.read(old.file, old.key)
	if err != nil {
		a.metrics.certs.WithLabelValues(certificateRefused).Inc()
		a.log.Error("changed certificate not taken, the one before stays in force", zap.Error(err))
		return
	}
	c.judged = next
	a.replace(c, old, next)
}
