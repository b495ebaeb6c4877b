package ginwriter

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// maxLogged is the longest segment of a path that is logged. Identifiers are shorter, but for
// UUIDs; the secrets in links are not.
const maxLogged = 31

var uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// FormatLog formats a line of an access log, like gin.Logger without colours and without secrets.
func FormatLog(p gin.LogFormatterParams) string {
	return fmt.Sprintf("[GIN] %s | %3d | %13v | %15s | %-7s %q %s\n",
		p.TimeStamp.Format("2006/01/02 - 15:04:05"), p.StatusCode, p.Latency.Truncate(time.Microsecond),
		p.ClientIP, p.Method, redactTarget(p.Path), strings.TrimSpace(p.ErrorMessage))
}

// redactTarget hides the values of a query and the long segments of a path.
func redactTarget(target string) string {
	path, query, asked := strings.Cut(target, "?")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if len(s) > maxLogged && !uuid.MatchString(s) {
			segments[i] = "[REDACTED]"
		}
	}
	path = strings.Join(segments, "/")
	if !asked {
		return path
	}
	var names []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if text, err := url.QueryUnescape(name); err != nil || len(text) > maxLogged {
			name = "[REDACTED]"
		}
		names = append(names, name+"=")
	}
	return path + "?" + strings.Join(names, "&")
}
