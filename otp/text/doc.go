// SPDX-License-Identifier: Apache-2.0

// Package text words what people read: one [Catalogue] of wordings in every
// language, and the [Composer] that makes mails and SMS of them.
//
// To add a wording, add a field to [Words] or to one of its parts, and a line
// to each language's file (en.go, de.go): the tests name every language that
// lacks one. To add a language, write its file and list it in catalogue.go.
package text
