//go:build !((linux || darwin) && (amd64 || arm64))

package engine

import (
	"errors"
	"runtime"
)

const supported = false

func queryCommandLine(string, []string) (string, error) {
	return "", errors.New("no embedded engine on " + runtime.GOOS + "/" + runtime.GOARCH + ": name a server with --clickhouse")
}
