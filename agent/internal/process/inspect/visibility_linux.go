package inspect

import (
	"fmt"
	"os"
)

// maxMountinfo bounds what is read of the mount table.
const maxMountinfo = 1 << 20

// Visibility says whether processes of other users are hidden from the agent:
// "" where they are not, else why, with what to do about it. It looks whether
// the first process can be seen and, where it cannot, at the hidepid option of
// the mount (proc(5)).
func (r *Reader) Visibility() string {
	if _, err := r.Stamp(1); err == nil {
		return ""
	}
	buffer := make([]byte, maxMountinfo)
	if n, _, err := readBounded("/proc/self/mountinfo", buffer); err == nil {
		if option := hidepidOption(buffer[:n], r.config.ProcRoot); option != "" {
			return fmt.Sprintf("%s is mounted with %s: only processes of user %d are visible; grant CAP_SYS_PTRACE or the group of the mount's gid option",
				r.config.ProcRoot, option, os.Getuid())
		}
	}
	return fmt.Sprintf("process 1 is not visible below %s: only processes of this user or container are", r.config.ProcRoot)
}
