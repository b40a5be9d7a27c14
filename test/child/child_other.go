// SPDX-License-Identifier: Apache-2.0

//go:build !linux

// Package child is about the processes that a test starts.
package child

import "syscall"

// DieWithParent has no equivalent here: a process outlives a killed test.
func DieWithParent() *syscall.SysProcAttr { return nil }
