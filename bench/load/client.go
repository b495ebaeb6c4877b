package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// result is the result of one measurement.
type result struct {
	each        time.Duration // the time of the measurement divided by the number of requests
	median, p99 time.Duration
}

// warmUp is the time for which requests are sent before the measurement.
const warmUp = 500 * time.Millisecond

// attack sends requests to addr for warmUp and then for a duration, over one
// connection for each header. Every response must be a 200 whose body contains
// want.
func attack(ctx context.Context, addr string, headers []http.Header, want string, duration time.Duration) (result, error) {
	clients := make([]client, len(headers))
	for i, header := range headers {
		request := requestText(addr, "GET", "/me", header, "")
		clients[i] = func([]byte) ([]byte, error) { return request, nil }
	}
	return attackWith(ctx, addr, clients, want, duration)
}

// client returns the next request of a connection. It is given the body of the last
// response, or nil.
type client func(body []byte) ([]byte, error)

// attackWith is attack with one connection for each client.
func attackWith(ctx context.Context, addr string, clients []client, want string, duration time.Duration) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now().Add(warmUp)
	end := begin.Add(duration)
	took := make([][]time.Duration, len(clients))
	errs := make([]error, len(clients))
	var done sync.WaitGroup
	for i, next := range clients {
		done.Go(func() {
			if took[i], errs[i] = talk(ctx, addr, next, want, begin, end); errs[i] != nil {
				cancel() // one wrong response invalidates the measurement
			}
		})
	}
	done.Wait()
	if err := errors.Join(errs...); err != nil {
		return result{}, err
	}
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	if len(all) == 0 {
		return result{}, errors.New("no request was answered in time")
	}
	return result{
		each:   duration / time.Duration(len(all)),
		median: all[len(all)/2], p99: all[len(all)*99/100],
	}, nil
}

// talk sends requests over one connection. It returns the durations of the
// requests that were answered between begin and end.
func talk(ctx context.Context, addr string, next client, want string, begin, end time.Time) ([]time.Duration, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	answers := bufio.NewReader(conn)
	var took []time.Duration
	var body []byte
	for {
		request, err := next(body)
		if err != nil {
			return nil, err
		}
		sent := time.Now()
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		if body, err = readAnswer(answers, want); err != nil {
			return nil, err
		}
		switch now := time.Now(); {
		case now.After(end):
			return took, nil
		case now.After(begin):
			took = append(took, now.Sub(sent))
		}
	}
}

// requestText returns the bytes of a browser's request.
func requestText(addr, method, path string, header http.Header, body string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, addr)
	b.WriteString("User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n")
	b.WriteString("Accept: application/json\r\nAccept-Language: en-GB,en;q=0.5\r\n")
	_ = header.Write(&b) // writing to memory cannot fail
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.Bytes()
}

func readAnswer(from *bufio.Reader, want string) ([]byte, error) {
	answer, err := http.ReadResponse(from, nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(want)) {
		return nil, fmt.Errorf("status %d, body %.200q, want 200 with %q", answer.StatusCode, body, want)
	}
	return body, nil
}
