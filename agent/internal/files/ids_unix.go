//go:build !linux && !windows

package files

import (
	"os"
	"syscall"
)

// systemIDs returns inode, device and owner.
func systemIDs(info os.FileInfo) (inode, device uint64, owner uint32) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino), uint64(st.Dev), st.Uid
	}
	return 0, 0, 0
}
