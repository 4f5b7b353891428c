package files

import "os"

// systemIDs has nothing to tell: the owner is a security identifier here and
// is left empty.
func systemIDs(os.FileInfo) (inode, device uint64, owner uint32) { return 0, 0, 0 }
