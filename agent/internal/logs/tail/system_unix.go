//go:build unix

package tail

import (
	"errors"
	"os"
	"syscall"
)

// noBlock keeps the opening of a pipe from waiting for its writer.
const noBlock = syscall.O_NONBLOCK

func identify(_ *os.File, info os.FileInfo) (identity, error) {
	id, ok := identifyInfo(info)
	if !ok {
		return identity{}, errors.New("the file system tells no inode")
	}
	return id, nil
}

func identifyInfo(info os.FileInfo) (identity, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, false
	}
	return identity{uint64(st.Dev), st.Ino}, true //nolint:unconvert // the type differs between systems
}

// syncFolder makes a rename durable.
func syncFolder(path string) error {
	handle, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}
