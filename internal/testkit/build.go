package testkit

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// binaries are built once per test process: a build is the same for all tests, and takes seconds.
var binaries = struct {
	sync.Mutex
	dir   string
	paths map[bool]string // by whether the race detector is in
	errs  map[bool]error
}{paths: make(map[bool]string), errs: make(map[bool]error)}

// parallelPerCore is how many tests run at once for each core. Whole calls are mostly waited for.
const parallelPerCore = 2

// Parallel lets so many tests run at once for each core, unless the command line says how many, or is to fuzz: then
// it is the number of workers. TestMain calls it where tests mostly wait.
func Parallel(perCore int) error {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" || f.Name == "test.fuzz" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(perCore*runtime.GOMAXPROCS(0)))
}

// Main is the TestMain of packages that use this one: it looks for leaked goroutines and takes away
// what was built.
func Main(m *testing.M) {
	if err := Parallel(parallelPerCore); err != nil {
		fmt.Fprintln(os.Stderr, "set how many tests run at once:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		binaries.Lock()
		defer binaries.Unlock()
		if binaries.dir != "" {
			if err := os.RemoveAll(binaries.dir); err != nil {
				fmt.Fprintln(os.Stderr, "remove what was built for the tests:", err)
			}
		}
		os.Exit(code)
	}))
}

// HotlineBinary builds cmd/hotline, once, and returns where it is.
func HotlineBinary(tb testing.TB, race bool) string {
	tb.Helper()
	binaries.Lock()
	defer binaries.Unlock()
	if _, done := binaries.paths[race]; !done {
		binaries.paths[race], binaries.errs[race] = build(race)
	}
	if err := binaries.errs[race]; err != nil {
		tb.Fatalf("build cmd/hotline: %v", err)
	}
	return binaries.paths[race]
}

// build needs the lock of binaries.
func build(race bool) (string, error) {
	if binaries.dir == "" {
		dir, err := os.MkdirTemp("", "hotline-built-")
		if err != nil {
			return "", fmt.Errorf("make a folder: %w", err)
		}
		binaries.dir = dir
	}
	root, err := module()
	if err != nil {
		return "", err
	}
	path := filepath.Join(binaries.dir, fmt.Sprintf("hotline-race-%t", race))
	args := []string{"build", "-buildvcs=false", "-o", path, "./cmd/hotline"}
	if race {
		args = append(args[:1:1], append([]string{"-race"}, args[1:]...)...)
	}
	cmd := exec.Command("go", args...) //nolint:noctx // outlives the test that asks first
	cmd.Dir = root
	var problems bytes.Buffer
	cmd.Stderr = &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, problems.String())
	}
	return path, nil
}

// Module is the module's folder.
func Module(tb testing.TB) string {
	tb.Helper()
	root, err := module()
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

func module() (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output() //nolint:noctx // outlives the test that asks first
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(mod))), nil
}
