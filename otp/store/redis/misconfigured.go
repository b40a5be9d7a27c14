// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"errors"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// misconfigurations are what servers answer to a configuration that doesn't
// fit them, and what to do.
var misconfigurations = []struct{ text, says string }{
	{"ERR This instance has cluster support disabled", "several URLs are the nodes of a Cluster, but the server is none; write one URL, or `sentinel <name of the master>` and the URLs of the Sentinels"},
	{"ERR SELECT is not allowed in cluster mode", "a Cluster has only database 0; remove the database from the URL"},
	{"ERR DB index is out of range", "it doesn't have the database in the URL; write a lower number"},
	{"ERR unknown command 'sentinel'", "a data server answers where a Sentinel should; write the URLs of the Sentinels, or remove `sentinel`"},
	{"ERR unknown command `sentinel`", "a data server answers where a Sentinel should; write the URLs of the Sentinels, or remove `sentinel`"},
	{"WRONGPASS", "WRONGPASS: the username or the password is wrong"},
}

// unknownMaster is what the driver says where no Sentinel told a primary.
const unknownMaster = "redis: all sentinels specified in configuration are unreachable"

// misconfigured says what to do about an error of a configuration that doesn't
// fit the servers, or "".
func misconfigured(err error) string {
	if errors.Is(err, errIsSentinel) || errors.Is(err, errClusterDatabase) {
		return strings.TrimPrefix(err.Error(), "redis: ")
	}
	text := err.Error()
	if strings.Contains(text, unknownMaster) && errors.Is(err, goredis.Nil) {
		return "the Sentinels don't know this master; write the name that their `sentinel monitor` line has"
	}
	if reply, ok := errors.AsType[goredis.Error](err); ok {
		text = reply.Error()
	} else if !strings.Contains(text, unknownMaster) {
		return ""
	}
	for _, m := range misconfigurations {
		if strings.HasPrefix(strings.ToLower(text), strings.ToLower(m.text)) {
			return m.says
		}
	}
	return ""
}

// isClusterDatabase reports whether a node of a Cluster refuses a database.
func isClusterDatabase(text string) bool {
	return strings.HasPrefix(text, "ERR SELECT is not allowed in cluster mode")
}
