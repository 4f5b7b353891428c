package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// oldestBinary is the first year.month release of `clickhouse` the schema is
// written for.
const oldestBinaryYear, oldestBinaryMonth = 25, 3

// program is what the child opens: one of the two is set.
type program struct{ library, binary string }

// locate picks the engine: what the configuration names; else a `clickhouse`
// on PATH that is new enough; else the fetched library.
func locate(ctx context.Context, cfg Config) (program, error) {
	if cfg.Binary != "" {
		path, err := exec.LookPath(cfg.Binary)
		if err != nil {
			return program{}, fmt.Errorf("%w (%w)", ErrNoEngine, err)
		}
		return program{binary: path}, nil
	}
	if cfg.Library == "" {
		if path, err := exec.LookPath("clickhouse"); err == nil && newEnough(ctx, path) {
			return program{binary: path}, nil
		}
	}
	library := cfg.Library
	if library == "" {
		library = DefaultLibrary()
	}
	if _, err := os.Stat(library); err != nil {
		return program{}, fmt.Errorf("%w (%w)", ErrNoEngine, err)
	}
	return program{library: library}, nil
}

func newEnough(ctx context.Context, binary string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "local", "--version").Output()
	return err == nil && versionAtLeast(string(out), oldestBinaryYear, oldestBinaryMonth)
}

func versionAtLeast(text string, year, month int) bool {
	m := regexp.MustCompile(`\b(\d{2})\.(\d{1,2})\.\d+`).FindStringSubmatch(text)
	if m == nil {
		return false
	}
	y, _ := strconv.Atoi(m[1]) // the expression lets digits through only
	mon, _ := strconv.Atoi(m[2])
	return y > year || y == year && mon >= month
}
