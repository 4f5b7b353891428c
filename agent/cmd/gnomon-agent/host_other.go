//go:build !linux

package main

import (
	"errors"
	"time"
)

// errUnsupported says that doctor cannot look at this here.
var errUnsupported = errors.New("unsupported here")

func freeSpace(string) (uint64, error) { return 0, errUnsupported }

func residentMemory() (uint64, error) { return 0, errUnsupported }

func cpuTime() time.Duration { return 0 }
