// SPDX-License-Identifier: Apache-2.0

// Package child is about the processes that a test starts.
package child

import "syscall"

// DieWithParent returns what makes the kernel kill a process where the test
// that started it dies without its cleanups, as at a timeout.
func DieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
