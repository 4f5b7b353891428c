package engine

import (
	"errors"
	"net"
	"syscall"
)

const libraryName = "libchdb.dll"

var errWindows = errors.New("no embedded engine on windows: name a server with --clickhouse")

func childAttributes() *syscall.SysProcAttr     { return nil }
func namespaceAttributes() *syscall.SysProcAttr { return nil }
func hardenChild() error                        { return errWindows }
func enterNamespace() error                     { return errWindows }
func checkPeer(*net.UnixConn) error             { return errWindows }
