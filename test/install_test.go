package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/config"
	"hotline/internal/testkit"
)

// machineBelow is a Debian 12 as it is installed, with nothing of ours, below a folder: what somebody types as root is done there.
type machineBelow struct {
	t    *testing.T
	root string
	in   *testkit.Network // where commands run
}

// Instead of what takes a real machine. systemctl is written down, and so is docker, but for init, which is done; names of groups are
// looked up below the folder, so that no group of this machine's will do, and what would be given to a group or user is given to
// nobody, since that takes root, but written down.
const (
	fakeSystemctl = `#!/bin/sh
echo "$@" >>"%[1]s/systemctl"
`
	fakeSysusers = `#!/bin/sh
exec %[2]s --root="%[1]s" "$@"
`
	fakeInstall = `#!/bin/bash
echo "$@" >>"%[1]s/install"
args=()
while [ $# -gt 0 ]; do
	case $1 in
	-g | -o)
		[[ $2 =~ ^[0-9]+$ ]] || grep -qs "^$2:" "%[1]s/etc/group" || { echo "install: invalid group: $2" >&2; exit 1; }
		shift ;;
	*) args+=("$1") ;;
	esac
	shift
done
exec %[2]s "${args[@]}"
`
	fakeDocker = `#!/bin/bash
if [ "${*: -2}" = "hotline init" ]; then
	exec ./hotline init
fi
printf '%s\n' "$@" >"%[1]s/docker-$1"
`
)

func newMachineBelow(t *testing.T, in *testkit.Network) *machineBelow {
	t.Helper()
	m := &machineBelow{t: t, root: t.TempDir(), in: in}
	for _, folder := range []string{"etc/systemd/system", "usr/local/bin", "var/lib", "fakes", "work"} {
		require.NoError(t, os.MkdirAll(m.path(folder), 0o750))
	}
	for name, text := range map[string]string{
		"systemctl": fakeSystemctl, "systemd-sysusers": fakeSysusers, "install": fakeInstall, "docker": fakeDocker,
	} {
		real, _ := exec.LookPath(name) // only of some something is run
		text = strings.ReplaceAll(strings.ReplaceAll(text, "%[1]s", m.root), "%[2]s", real)
		require.NoError(t, os.WriteFile(m.path("fakes", name), []byte(text), 0o700)) //nolint:gosec // a program
	}
	require.NoError(t, os.Symlink(filepath.Join(testkit.Module(t), "deploy"), m.path("work", "deploy")))
	return m
}

func (m *machineBelow) path(names ...string) string {
	return filepath.Join(append([]string{m.root}, names...)...)
}

// below is a text with the machine's paths as paths below the folder.
func (m *machineBelow) below(text string) string {
	return regexp.MustCompile(`/(etc|usr/local|var/lib|run)/[a-z]`).ReplaceAllString(text, m.root+"$0")
}

// command is a shell's, where deploy/ is. It ends at the first line that fails.
func (m *machineBelow) command(script string) *exec.Cmd {
	cmd := m.in.Command("sh", "-euc", m.below(script))
	cmd.Dir = m.path("work")
	cmd.Env = append(os.Environ(), "PATH="+m.path("fakes")+":"+m.path("usr/local/bin")+":"+os.Getenv("PATH")+":/usr/sbin")
	return cmd
}

// types has the lines done, which must go well.
func (m *machineBelow) types(script string) string {
	m.t.Helper()
	said, err := m.command(script).CombinedOutput()
	require.NoError(m.t, err, "%s\n%s", script, said)
	return string(said)
}

// steps are the commands in the comment at the top of a file.
func steps(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{testkit.Module(t)}, path...)...))
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(text)) {
		comment, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		if command, ok := strings.CutPrefix(comment, "   "); ok {
			lines = append(lines, command)
		}
	}
	require.NotEmpty(t, lines)
	return strings.Join(lines, "")
}

// shellBlocks are the blocks of commands of a guide below a heading.
func shellBlocks(t *testing.T, heading string, guide ...string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{testkit.Module(t)}, guide...)...))
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n"+heading+"\n")
	require.True(t, found, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("(?ms)^( *)```sh\n(.*?)^ *```$").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, strings.ReplaceAll("\n"+m[2], "\n"+m[1], "\n"))
	}
	require.NotEmpty(t, blocks)
	return blocks
}

// setting are the values of a key of the unit.
func setting(t *testing.T, key string) (values []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^`+key+`=(.*)$`).FindAllStringSubmatch(unitText(t), -1) {
		values = append(values, m[1])
	}
	return values
}

// TestUnitInstall: the steps at the top of the unit, done on a machine that has nothing yet, make every file that the unit wants,
// each readable by whom it must be alone. The hotline then starts by what the unit says, its token is in no log, and the guide's
// commands beside it are let in by that token.
func TestUnitInstall(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "systemd-sysusers", "od")
	var apart *testkit.Network // where its ports are nobody else's, if that is permitted
	if os.Geteuid() == 0 {
		apart = testkit.StartNetwork(t)
		testkit.Connect(t, testkit.End{In: apart, Name: "eth0", Addresses: []string{"10.20.0.1/24"}},
			testkit.End{In: testkit.StartNetwork(t), Name: "eth0", Addresses: []string{"10.20.0.2/24"}})
	}
	m := newMachineBelow(t, apart)
	require.NoError(t, os.Symlink(testkit.HotlineBinary(t, false), m.path("work", "hotline")))
	m.types(steps(t, "deploy", "systemd", "hotline.service"))

	for file, mode := range map[string]os.FileMode{
		"usr/local/bin/hotline": 0o755, "etc/hotline": 0o750 | os.ModeDir, "etc/hotline/hotline.yaml": 0o640,
		"etc/hotline/environment": 0o640, "etc/systemd/system/hotline.service": 0o644,
	} {
		info, err := os.Stat(m.path(file))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), file)
	}
	done, err := os.ReadFile(m.path("systemctl"))
	require.NoError(t, err)
	require.Equal(t, "daemon-reload\nenable --now hotline\n", string(done))
	users, err := os.ReadFile(m.path("etc/passwd"))
	require.NoError(t, err)
	require.Regexp(t, "(?m)^"+setting(t, "User")[0]+":x:", string(users))
	for _, credential := range setting(t, "LoadCredential") {
		_, file, _ := strings.Cut(credential, ":")
		require.FileExists(t, m.path(file), "the unit would not start: 243/CREDENTIALS")
	}
	environment := setting(t, "EnvironmentFile")
	require.Len(t, environment, 1)
	secret, err := os.ReadFile(m.path(environment[0]))
	require.NoError(t, err)
	require.Regexp(t, `^HOTLINE_TOKEN=[0-9a-f]{32}\n$`, string(secret))
	if apart == nil {
		return
	}

	require.NoError(t, os.Mkdir(m.path(setting(t, "WorkingDirectory")[0]), 0o700)) // StateDirectory makes it
	serve := m.command("cd " + setting(t, "WorkingDirectory")[0] + "; exec env " + strings.TrimSpace(string(secret)) + " " + setting(t, "ExecStart")[0])
	heard, err := os.Create(m.path("journal"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, heard.Close()) })
	journal := func() string {
		text, err := os.ReadFile(heard.Name())
		require.NoError(t, err)
		return string(text)
	}
	serve.Stdout, serve.Stderr = heard, heard
	require.NoError(t, serve.Start())
	t.Cleanup(func() { _ = serve.Process.Kill() }) // unless it has ended
	testkit.Within(t, testkit.Patience, "the hotline to serve", func() bool { return strings.Contains(journal(), "The wall") })
	said := ""
	for _, block := range shellBlocks(t, "## systemd", "docs", "machine.md") {
		said += m.types(block)
	}
	require.Contains(t, said, "nobody is banned\n", "the token was not taken")
	require.NoError(t, serve.Process.Signal(syscall.SIGTERM))
	require.NoError(t, serve.Wait(), journal())
	_, token, _ := strings.Cut(strings.TrimSpace(string(secret)), "=")
	require.NotContains(t, journal(), token)
	require.NotContains(t, journal(), "until the next start it is", "a token by chance")
}

// TestContainerInstall: the guide's commands start the image so that it can read its configuration and write its data, with a token
// that is in no command, as many files as the unit has, and time to drain.
func TestContainerInstall(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "od")
	text, err := os.ReadFile(filepath.Join(testkit.Module(t), "deploy", "Dockerfile"))
	require.NoError(t, err)
	image := func(pattern string) string {
		m := regexp.MustCompile("(?m)" + pattern).FindStringSubmatch(string(text))
		require.NotNil(t, m, pattern)
		return m[1]
	}
	user, group := image(`^USER (\d+)$`), image(`groupadd .*--gid (\d+) `)
	require.Regexp(t, `useradd .*--uid `+user+` --gid `+group+` `, string(text))

	m := newMachineBelow(t, nil)
	require.NoError(t, os.Symlink(testkit.HotlineBinary(t, false), m.path("work", "hotline")))
	m.types(shellBlocks(t, "## A container", "docs", "machine.md")[0])
	written := func(name string) string {
		text, err := os.ReadFile(m.path(name))
		require.NoError(t, err)
		return strings.ReplaceAll(string(text), m.root, "")
	}
	require.Equal(t, "-d -m 0750 -g "+group+" /etc/hotline\n-m 0640 -g "+group+" hotline.yaml /etc/hotline/hotline.yaml\n", written("install"))
	for file, mode := range map[string]os.FileMode{
		"work/hotline.yaml": 0o600, "etc/hotline": 0o750 | os.ModeDir, "etc/hotline/hotline.yaml": 0o640, "etc/hotline/environment": 0o600,
	} {
		info, err := os.Stat(m.path(file))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), file)
	}
	require.Regexp(t, `^HOTLINE_TOKEN=[0-9a-f]{32}\n$`, written("etc/hotline/environment"))
	for _, ignored := range []string{".dockerignore", ".gitignore"} {
		text, err := os.ReadFile(filepath.Join(testkit.Module(t), ignored))
		require.NoError(t, err)
		require.Regexp(t, `(?m)^/?hotline\.yaml$`, string(text), "its passwords would be kept")
	}
	tag := "hotline"
	require.Equal(t, "build\n-f\ndeploy/Dockerfile\n-t\n"+tag+"\n.\n", written("docker-build"))

	run := written("docker-run")
	require.True(t, strings.HasSuffix(run, "\n"+tag+"\n"), "the image last, which has its command")
	for _, option := range []string{
		"--network host", "--env-file /etc/hotline/environment", "-v /etc/hotline:/etc/hotline:ro", "-v hotline:" + image(`^VOLUME (\S+)$`),
		fmt.Sprintf("--ulimit nofile=%[1]s:%[1]s", setting(t, "LimitNOFILE")[0]), "--read-only",
	} {
		require.Contains(t, run, "\n"+strings.ReplaceAll(option, " ", "\n")+"\n")
	}
	require.Contains(t, image(`^CMD (.*)$`), `"/etc/hotline/hotline.yaml"`)
	seconds, err := strconv.Atoi(regexp.MustCompile(`--stop-timeout\n(\d+)\n`).FindStringSubmatch(run)[1])
	require.NoError(t, err)
	cfg, err := config.Reference()
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Duration(seconds)*time.Second, cfg.Drain+time.Minute)
	require.Equal(t, "exec\nhotline\nhotline\nbans\n--config\n/etc/hotline/hotline.yaml\n", written("docker-exec"))
}

// debianRules is /etc/nftables.conf as Debian 12 installs it.
const debianRules = `#!/usr/sbin/nft -f

flush ruleset

table inet filter {
	chain input {
		type filter hook input priority filter;
	}
	chain forward {
		type filter hook forward priority filter;
	}
	chain output {
		type filter hook output priority filter;
	}
}
`

// TestFirewallInstall: the steps at the top of the rules load them now, and again at the machine's next start, as nftables.service
// does it; done twice, for a change, they leave one include.
func TestFirewallInstall(t *testing.T) {
	t.Parallel()
	testkit.RequireNetworks(t)
	m := newMachineBelow(t, testkit.StartNetwork(t))
	require.NoError(t, os.WriteFile(m.path("etc/nftables.conf"), []byte(debianRules), 0o755)) //nolint:gosec // as Debian has it
	for range 2 {
		m.types(steps(t, "deploy", "nftables", "hotline.nft"))
		require.Contains(t, m.types("nft list table inet hotline"), "policy drop")
	}
	done, err := os.ReadFile(m.path("systemctl"))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("enable nftables\n", 2), string(done))
	text, err := os.ReadFile(m.path("etc/nftables.conf"))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), "include"))
	m.in = testkit.StartNetwork(t) // after a start nothing is loaded
	m.types("nft -f /etc/nftables.conf")
	require.Contains(t, m.types("nft list table inet hotline"), "policy drop")
}

// TestPager: Alertmanager starts with the example, and the command at its top has the pager called at once.
func TestPager(t *testing.T) {
	t.Parallel()
	testkit.RequireNetworks(t)
	testkit.Require(t, "prometheus-alertmanager", "amtool")
	m := newMachineBelow(t, testkit.StartNetwork(t))
	paged := make(chan string, 8)
	var listener net.Listener
	require.NoError(t, m.in.Do(func() (err error) {
		listener, err = net.Listen("tcp", "127.0.0.1:9095") //nolint:noctx // no name is looked up
		return err
	}))
	pager := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body) // what did not come is missed below
		paged <- string(text)
	}))
	require.NoError(t, pager.Listener.Close())
	pager.Listener = listener
	pager.Start()
	t.Cleanup(pager.Close)
	manager := m.command("exec prometheus-alertmanager --cluster.listen-address= --storage.path=data --config.file=deploy/prometheus/alertmanager.yml")
	require.NoError(t, manager.Start())
	t.Cleanup(func() {
		require.NoError(t, manager.Process.Signal(syscall.SIGTERM))
		require.NoError(t, manager.Wait())
	})
	trial := steps(t, "deploy", "prometheus", "alertmanager.yml")
	testkit.Within(t, testkit.Patience, "Alertmanager to take an alert", func() bool { return m.command(trial).Run() == nil })
	select {
	case text := <-paged:
		require.Contains(t, text, `"alertname":"HotlineTrial"`)
	case <-time.After(testkit.Patience):
		require.Fail(t, "the pager was not called")
	}
}
