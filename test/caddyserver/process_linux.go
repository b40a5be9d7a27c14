// SPDX-License-Identifier: Apache-2.0

package caddyserver

import "syscall"

// dieWithParent makes the kernel kill the server where the test process dies
// without its cleanups, as at a timeout.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
