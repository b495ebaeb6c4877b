package redisstore

import (
	"context"
	"crypto/rand"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

//go:embed lua/common.lua
var common string

// A script is one atomic step on the server.
type script struct {
	// text is the beginning of a command that sends the script, and hash the
	// beginning of one that sends only its hash.
	text, hash []any
	// once means that the script must not run twice, so the client must not send
	// it again after its answer was lost.
	once bool
	// builtin means that this is a command of the server, whose keys need no count.
	builtin bool
}

// unlink is the command that deletes keys, and unlist the one that removes members of an index.
var unlink, unlist = builtin("unlink"), builtin("zrem")

func builtin(name string) *script {
	return &script{text: []any{name}, hash: []any{name}, builtin: true}
}

func newScript(source string) *script { return bareScript(common + source) }

// bareScript returns a script that needs no function of common, which takes time to define.
func bareScript(source string) *script {
	return &script{text: []any{"eval", source}, hash: []any{"evalsha", redis.NewScript(source).Hash()}}
}

// newScriptOf returns a script of functions, each given by its name and its source, and of a source
// that calls them.
func newScriptOf(source string, functions ...[2]string) *script {
	var text strings.Builder
	for _, f := range functions {
		fmt.Fprintf(&text, "local function %s(KEYS, ARGV)\n%s\nend\n", f[0], f[1])
	}
	return newScript(text.String() + source)
}

// onlyOnce makes a script one that is never sent again.
func onlyOnce(s *script) *script {
	s.once = true
	return s
}

// A call is a script with its keys and arguments. All keys are in one slot.
type call struct {
	*script
	keys []string
	args []any
}

// command returns the call as a command. If whole is set, the command contains the script
// and not only its hash.
func (c call) command(ctx context.Context, whole bool) redis.Cmder {
	head := c.hash
	if whole {
		head = c.text
	}
	args := append(make([]any, 0, len(head)+1+len(c.keys)+len(c.args)), head...)
	if !c.builtin {
		args = append(args, len(c.keys))
	}
	for _, key := range c.keys {
		args = append(args, key)
	}
	cmd := redis.NewCmd(ctx, append(args, c.args...)...)
	if c.once {
		return unrepeated{cmd}
	}
	return cmd
}

// unrepeated is a command that go-redis sends only once, whatever the answer is.
type unrepeated struct{ *redis.Cmd }

func (unrepeated) NoRetry() bool { return true }

// answer returns the answer to a command.
func answer(cmd redis.Cmder) (any, error) {
	switch cmd := cmd.(type) {
	case *redis.Cmd:
		return cmd.Result()
	case unrepeated:
		return cmd.Result()
	}
	return nil, cmd.Err()
}

// run makes a call. If the server does not have the script, because it was restarted or
// its scripts were flushed, run sends the script as well.
func (c *core) run(ctx context.Context, what string, s *script, keys []string, args ...any) (any, error) {
	if ctx.Err() != nil {
		return nil, fault(ctx, what, ctx.Err())
	}
	calling := call{s, keys, args}
	cmd := calling.command(ctx, false)
	err := c.client.Process(ctx, cmd)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		cmd = calling.command(ctx, true)
		err = c.client.Process(ctx, cmd)
	}
	if err != nil {
		return nil, fault(ctx, what, err)
	}
	got, err := answer(cmd)
	return got, fault(ctx, what, err)
}

// runAll makes independent calls in one round trip per server. It makes all calls, and
// returns the answers before the first error.
func (c *core) runAll(ctx context.Context, what string, calls []call) ([]any, error) {
	if ctx.Err() != nil || len(calls) == 0 {
		return nil, fault(ctx, what, ctx.Err())
	}
	commands := c.send(ctx, calls, false)
	var places []int
	var unknown []call
	for i, cmd := range commands {
		if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
			places, unknown = append(places, i), append(unknown, calls[i])
		}
	}
	if len(unknown) > 0 {
		for i, cmd := range c.send(ctx, unknown, true) {
			commands[places[i]] = cmd
		}
	}
	answers := make([]any, len(calls))
	for i, cmd := range commands {
		got, err := answer(cmd)
		if err != nil {
			return answers[:i], fault(ctx, what, err)
		}
		answers[i] = got
	}
	return answers, nil
}

// send makes the calls in a pipeline. Each command has its own error.
func (c *core) send(ctx context.Context, calls []call, whole bool) []redis.Cmder {
	pipe := c.client.Pipeline()
	commands := make([]redis.Cmder, len(calls))
	for i := range calls {
		commands[i] = calls[i].command(ctx, whole)
		_ = pipe.Process(ctx, commands[i]) // queues it
	}
	_, _ = pipe.Exec(ctx)
	return commands
}

// nonce returns a name for one call. It is stored with the effect of the call. If go-redis
// sends the call again, because the first answer was lost, the script recognises it and
// gives the same answer.
func nonce() string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return string(b[:])
}

// fault adds to an error what the store was doing. If the context has ended, the error also
// wraps the context's error, which the errors of go-redis do not.
func fault(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if misread(err) {
		return fmt.Errorf("redisstore: %s: %w: %w", what, stores.ErrCorrupt, err)
	}
	if over := ended(ctx, err); over != nil && !errors.Is(err, over) {
		return fmt.Errorf("redisstore: %s: %w: %w", what, over, err)
	}
	return fmt.Errorf("redisstore: %s: %w", what, err)
}

// misread reports whether an error of the server means that a record has another type, or
// that a field is not a number as a script expects. The text of such errors depends on the
// version of the server.
func misread(err error) bool {
	if _, ok := errors.AsType[redis.Error](err); !ok {
		return false
	}
	return slices.ContainsFunc([]string{"WRONGTYPE ", "CORRUPT ", "attempt to ", "bad argument "}, func(text string) bool {
		return strings.Contains(err.Error(), text)
	})
}

// ended returns the error of a context that has ended. A connection that has the deadline
// of the context may time out a moment before the context does.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	deadline, ok := ctx.Deadline()
	timeout, isNet := errors.AsType[net.Error](err)
	if ok && isNet && timeout.Timeout() && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// corrupt returns an error that wraps stores.ErrCorrupt.
func corrupt(what, why string) error {
	return fmt.Errorf("redisstore: %s: %w: %s", what, stores.ErrCorrupt, why)
}

// integers returns the numbers at the beginning of an answer, which is a list or one
// number. It returns an error if there are fewer than n, which means that the server does
// not behave like Redis.
func integers(what string, got any, n int) ([]int64, error) {
	list, ok := got.([]any)
	if !ok {
		list = []any{got}
	}
	numbers := make([]int64, 0, len(list))
	for _, item := range list {
		number, ok := item.(int64)
		if !ok {
			break
		}
		numbers = append(numbers, number)
	}
	if len(numbers) < n {
		return nil, fmt.Errorf("redisstore: %s: unexpected answer of type %T", what, got)
	}
	return numbers, nil
}

// textAt returns the text at an index of an answer, or "" if there is none.
func textAt(got any, i int) string {
	list, _ := got.([]any)
	if i >= len(list) {
		return ""
	}
	text, _ := list[i].(string)
	return text
}
