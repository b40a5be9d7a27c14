// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "otp-unlock",
		Usage: "<address> [--site <host>] [--address <listen>] [--config <path> [--adapter <name>]]",
		Short: "Takes back the wrong guesses at an address",
		Long: `
Takes back the wrong guesses of codes at an e-mail address or a phone number, and
with them the wait before the next one, or that codes to it are disabled. The same goes
for the authenticator apps and recovery codes of whom it belongs to.

--site is the host of the site's public_url; it may be left out where there is
one. Sites of a realm share their guesses.

The running Caddy is asked by its admin API at '` + caddy.DefaultAdminListen + `'. --address says
where else that is, or --config in which configuration file it stands.`,
		CobraFunc: func(command *cobra.Command) {
			command.Flags().String("site", "", "The host of the site's public_url")
			command.Flags().String("address", "", "Address of the administration API listener (if --config is not used)")
			command.Flags().StringP("config", "c", "", "Configuration file (if --address is not used)")
			command.Flags().StringP("adapter", "a", "", "Name of config adapter to apply (if --config is used)")
			command.Args = cobra.ExactArgs(1)
			command.RunE = caddycmd.WrapCommandFuncForCobra(unlockCommand)
		},
	})
}

func unlockCommand(flags caddycmd.Flags) (int, error) {
	body, err := json.Marshal(unlockRequest{Site: flags.String("site"), Address: flags.Arg(0)})
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	admin, err := caddycmd.DetermineAdminAPIAddress(flags.String("address"), nil, flags.String("config"), flags.String("adapter"))
	if err != nil {
		return caddy.ExitCodeFailedStartup, fmt.Errorf("the admin API's address: %w", err)
	}
	headers := http.Header{"Content-Type": {"application/json"}}
	answer, err := caddycmd.AdminAPIRequest(admin, http.MethodPost, unlockPath, headers, bytes.NewReader(body))
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	defer answer.Body.Close()
	fmt.Println("unlocked")
	return caddy.ExitCodeSuccess, nil
}
