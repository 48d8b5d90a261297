package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/config"
	"hotline/internal/testkit"
)

// command runs a program; it must end well. What it wrote is returned.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, said)
	return string(said)
}

// unitText is deploy/systemd/hotline.service.
func unitText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Module(t), "deploy", "systemd", "hotline.service"))
	require.NoError(t, err)
	return string(text)
}

// TestUnit: systemd finds nothing wrong with the unit, and little that it could do to the machine.
func TestUnit(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "systemd-analyze")
	const program = "/usr/local/bin/hotline"
	text := unitText(t)
	require.Contains(t, text, "ExecStart="+program+" serve ")
	unit := filepath.Join(t.TempDir(), "hotline.service")
	there := testkit.HotlineBinary(t, false) // verify wants the program to be there
	require.NoError(t, os.WriteFile(unit, []byte(strings.ReplaceAll(text, program, there)), 0o600))
	said := command(t, "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)
	require.NotContains(t, said, "hotline.service")
	// What the guide promises, in tenths. What is left is that it has the network, and the host's files to read.
	guide, err := os.ReadFile(filepath.Join(testkit.Module(t), "docs", "machine.md"))
	require.NoError(t, err)
	promised := regexp.MustCompile("`systemd-analyze security` gives it ([0-9])\\.([0-9]) of 10").FindSubmatch(guide)
	require.NotNil(t, promised)
	command(t, "systemd-analyze", "security", "--offline=true", fmt.Sprintf("--threshold=%s%s", promised[1], promised[2]), unit)

	wrong := strings.Replace(text, "NoNewPrivileges=yes", "NoNewPrivilege=yes", 1) // what it says of a key that does not exist
	require.NoError(t, os.WriteFile(unit, []byte(strings.ReplaceAll(wrong, program, there)), 0o600))
	complaint, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(complaint), "NoNewPrivilege")
}

// asRoot are system calls that SQLite makes as root alone, to give its files to the owner of the database.
var asRoot = []string{"fchown"}

// TestUnitAllowsWhatIsCalled: calls, recordings and records need no system call that the unit forbids. The kernel would answer
// EPERM, at the first call of some night.
func TestUnitAllowsWhatIsCalled(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "systemd-analyze", "strace")
	trace := filepath.Join(t.TempDir(), "trace")
	command(t, "strace", "-f", "-qq", "-o", trace, testkit.HotlineBinary(t, false), "demo", "--for", "10s")
	text, err := os.ReadFile(trace)
	require.NoError(t, err)

	allowed := []string{"execve"} // systemd's own, before the filter is there for good
	for _, m := range regexp.MustCompile(`(?m)^SystemCallFilter=(~?)(.*)$`).FindAllStringSubmatch(unitText(t), -1) {
		for set := range strings.FieldsSeq(m[2]) {
			calls := systemCalls(t, set)
			if m[1] == "" {
				allowed = append(allowed, calls...)
			} else {
				allowed = slices.DeleteFunc(allowed, func(c string) bool { return slices.Contains(calls, c) })
			}
		}
	}
	made := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\d+ +([a-z0-9_]+)\(`).FindAllSubmatch(text, -1) {
		made[string(m[1])] = true
	}
	require.True(t, made["sendto"] && made["epoll_pwait"] && made["pwrite64"], "no call was made: %v", made)
	for call := range made {
		assert.True(t, slices.Contains(allowed, call) || slices.Contains(asRoot, call), "the unit forbids %s", call)
	}
	// MemoryDenyWriteExecute, and RestrictAddressFamilies.
	require.NotRegexp(t, `PROT_WRITE\|PROT_EXEC`, string(text))
	for _, m := range regexp.MustCompile(`socket\((AF_[A-Z0-9]+)`).FindAllSubmatch(text, -1) {
		require.Contains(t, unitText(t), string(bytes.TrimSpace(m[1])))
	}
}

// systemCalls are those of a set, and of the sets in it.
func systemCalls(t *testing.T, set string) (calls []string) {
	t.Helper()
	for line := range strings.Lines(command(t, "systemd-analyze", "--no-pager", "syscall-filter", set)) {
		switch word := strings.TrimSpace(line); {
		case !strings.HasPrefix(line, " ") || strings.HasPrefix(word, "#"):
		case strings.HasPrefix(word, "@"):
			calls = append(calls, systemCalls(t, word)...)
		default:
			calls = append(calls, word)
		}
	}
	require.NotEmpty(t, calls, set)
	return calls
}

// TestFirewall: nft loads the rules, twice, in a network of the test's own; and their ports are the program's.
func TestFirewall(t *testing.T) {
	t.Parallel()
	nft, err := exec.LookPath("nft")
	if err != nil {
		nft = "/usr/sbin/nft" // where Debian has it, which is on root's PATH alone
	}
	testkit.Require(t, nft, "unshare")
	file := filepath.Join(testkit.Module(t), "deploy", "nftables", "hotline.nft")
	apart := "--net"
	if os.Geteuid() != 0 {
		apart = "-rn" // with a user of one's own, who may do that
	}
	shown := command(t, "unshare", apart, "sh", "-ec", `"$0" -f "$1"; "$0" -f "$1"; "$0" list table inet hotline`, nft, file)
	require.Contains(t, shown, "policy drop")
	require.Equal(t, 2, strings.Count(shown, "udp dport 20000-24999 notrack")+strings.Count(shown, "udp sport 20000-24999 notrack"))

	text, err := os.ReadFile(file)
	require.NoError(t, err)
	cfg, err := config.Reference()
	require.NoError(t, err)
	require.Contains(t, string(text), "define media_ports = "+portRange(cfg)+" ")
	require.Regexp(t, `define sip_port = 5060\b`, string(text))
	require.EqualValues(t, 5060, cfg.SIP.Listen[0].Address.Port())
	require.Regexp(t, `define http_port = 8080\b`, string(text))
	require.EqualValues(t, 8080, cfg.HTTP.Listen.Port())
}

func portRange(cfg *config.Config) string {
	return fmt.Sprintf("%d-%d", cfg.Media.Ports.Low, cfg.Media.Ports.High)
}

// TestKernelSettings: each key exists in Linux and is explained, and the ports are those of the reference.
func TestKernelSettings(t *testing.T) {
	t.Parallel()
	root := testkit.Module(t)
	text, err := os.ReadFile(filepath.Join(root, "deploy", "sysctl.d", "60-hotline.conf"))
	require.NoError(t, err)
	guide, err := os.ReadFile(filepath.Join(root, "docs", "machine.md"))
	require.NoError(t, err)
	cfg, err := config.Reference()
	require.NoError(t, err)
	settings := 0
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		settings++
		key, value, found := strings.Cut(line, " = ")
		require.True(t, found, line)
		bare, optional := strings.CutPrefix(key, "-")
		if !optional {
			require.FileExists(t, "/proc/sys/"+strings.ReplaceAll(bare, ".", "/"))
		}
		short := bare[strings.LastIndexByte(bare, '.')+1:]
		require.Contains(t, string(guide), short, "docs/machine.md does not explain it")
		if bare == "net.ipv4.ip_local_reserved_ports" {
			require.Contains(t, strings.Split(value, ","), portRange(cfg))
		}
	}
	require.GreaterOrEqual(t, settings, 10)
}
