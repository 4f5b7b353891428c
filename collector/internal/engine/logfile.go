package engine

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// boundedLog is a file of at most limit bytes beside its predecessor (.1). It
// also keeps the last lines in memory, for the reason of an exit.
type boundedLog struct {
	mu    sync.Mutex
	path  string
	limit int64
	file  *os.File
	size  int64
	tail  []byte
}

const tailBytes = 16 << 10

func openLog(path string, limit int64) (*boundedLog, error) {
	l := &boundedLog{path: path, limit: limit}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *boundedLog) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening the engine log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("opening the engine log: %w", err), f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write implements io.Writer. It takes every byte also when the disk does
// not: a full disk must not stop the engine through its log.
func (l *boundedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	if extra := len(l.tail) - tailBytes; extra > 0 {
		l.tail = append(l.tail[:0], l.tail[extra:]...)
	}
	if l.size+int64(len(p)) > l.limit {
		l.rotate()
	}
	if l.file != nil {
		n, _ := l.file.Write(p)
		l.size += int64(n)
	}
	return len(p), nil
}

func (l *boundedLog) rotate() {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
	if os.Rename(l.path, l.path+".1") != nil {
		return
	}
	_ = l.open() // without a file the tail is still kept
}

// takeTail returns what was written since the last call, its end at most.
func (l *boundedLog) takeTail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := string(l.tail)
	l.tail = l.tail[:0]
	return s
}

func (l *boundedLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}
