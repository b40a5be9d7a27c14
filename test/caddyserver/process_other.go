// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package caddyserver

import "syscall"

// dieWithParent has no equivalent here: a server outlives a killed test.
func dieWithParent() *syscall.SysProcAttr { return nil }
