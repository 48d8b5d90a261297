package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// stopRoom is for what comes after the drain: the steps, each within stopWithin, of which only some have anything to wait for.
const stopRoom = 4 * stopWithin

// keeper is who started the process and wants to know how it does: systemd with Type=notify (sd_notify(3)). Without one, and on
// other systems, NOTIFY_SOCKET is not set, and nothing is said to anybody.
type keeper struct{ log *zap.Logger }

// tell sends a state. That it does not arrive is no reason to take no calls.
func (k keeper) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		k.log.Warn("systemd was not told", zap.String("state", state), zap.Error(err))
	}
}

// ready: calls are taken; also said when a reload is over.
func (k keeper) ready() { k.tell(daemon.SdNotifyReady + "\nSTATUS=taking calls") }

// reloading: the configuration is read anew. The instant is what systemd 253 wants with Type=notify-reload.
func (k keeper) reloading() {
	k.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// stopping: it drains, and may take so long, whatever TimeoutStopSec says. What is killed before has cut off its callers.
func (k keeper) stopping(drain time.Duration) {
	k.tell(fmt.Sprintf("%s\nSTATUS=draining: no new calls but alarms\nEXTEND_TIMEOUT_USEC=%d",
		daemon.SdNotifyStopping, (drain + stopRoom).Microseconds()))
}

// watch tells twice in each WatchdogSec that the process lives, which is that alive returns: it asks the goroutine that owns the
// queues, without which nobody is matched. stop ends it, and waits unless alive hangs.
func (k keeper) watch(alive func()) (stop func()) {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		k.log.Warn("no watchdog", zap.Error(err))
	}
	if within <= 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			alive()
			k.tell(daemon.SdNotifyWatchdog)
			if !pause(ctx, within/2) {
				return
			}
		}
	})
	return func() {
		cancel()
		over := make(chan struct{})
		go func() { watching.Wait(); close(over) }()
		select {
		case <-over:
		case <-time.After(stopWithin):
			k.log.Error("the watchdog's question was not answered")
		}
	}
}
