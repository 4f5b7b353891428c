package tail

import (
	"os"
	"syscall"
)

// noBlock is of no use here.
const noBlock = 0

// identify asks for the volume and the index of an open file
// (https://learn.microsoft.com/en-us/windows/win32/api/fileapi/ns-fileapi-by_handle_file_information).
func identify(handle *os.File, _ os.FileInfo) (identity, error) {
	var info syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(handle.Fd()), &info); err != nil {
		return identity{}, err
	}
	return identity{uint64(info.VolumeSerialNumber), uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow)}, nil
}

// identifyInfo is not possible without opening the file.
func identifyInfo(os.FileInfo) (identity, bool) { return identity{}, false }

// syncFolder is done by the rename itself.
func syncFolder(string) error { return nil }
