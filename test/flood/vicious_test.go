//go:build linux

package flood

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// python is Debian's own: another that is on the PATH does not find Debian's packages.
const python = "/usr/bin/python3"

// bound runs a program of Python's whose sockets are all bound to one address: sipvicious 0.3.3 has an option for that, of which
// svwar and svcrack make no use.
const bound = `import os, runpy, shutil, socket, sys
host = sys.argv[1]
sys.argv = sys.argv[2:]
program = os.path.realpath(shutil.which(sys.argv[0]))
sys.path[0] = os.path.dirname(program)
class Bound(socket.socket):
    def bind(self, at):
        super().bind((host, at[1]))
socket.socket = Bound
runpy.run_path(program, run_name="__main__")
`

// vicious runs a program of sipvicious again and again, each time from another host, as long as it is let: twice at once, as it
// comes, where it says that it is a scanner, and with compact headers, where it has no User-Agent. What is counted are the runs.
func vicious(program string, args ...string) func(ctx context.Context, w *town) (tally, error) {
	return func(ctx context.Context, w *town) (tally, error) {
		g, ctx := errgroup.WithContext(ctx)
		var runs, hosts atomic.Int64
		var said strings.Builder
		var mu sync.Mutex
		for _, more := range [][]string{nil, {"-c"}} {
			g.Go(func() error {
				for ctx.Err() == nil {
					host := mobHost(manyHosts + int(hosts.Add(1)))
					all := append([]string{"-c", bound, host.String(), program, "-x", host.String(), "-t", "0.001"}, more...)
					cmd := exec.CommandContext(ctx, python, append(all, w.target(program, args)...)...)
					cmd.Env = append(cmd.Environ(), "HOME="+w.home)
					out, err := cmd.CombinedOutput()
					if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended && ctx.Err() == nil {
						return err
					}
					runs.Add(1)
					mu.Lock()
					said.Write(out)
					mu.Unlock()
					pause(ctx, 100*time.Millisecond)
				}
				return nil
			})
		}
		err := g.Wait()
		w.t.Logf("%s: %s", program, last(said.String(), 300))
		return tally{sent: int(runs.Load())}, err
	}
}

// target are the arguments that say whom to attack. svmap asks once for each port that it is told of.
func (w *town) target(program string, args []string) []string {
	port := strconv.Itoa(int(w.sip.Port()))
	host := w.sip.Addr().String()
	if program == "svmap" {
		return append(args, "-p", strings.TrimSuffix(strings.Repeat(port+",", 10_000), ","), host)
	}
	return append(args, "-p", port, host)
}
