package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/alexedwards/scs/goredisstore"
	contribgorm "github.com/gin-contrib/sessions/gorm"
	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/stores/gormstore"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// storeJobs are the jobs with sessions in Redis and in databases.
func storeJobs() []job {
	return []job{
		{name: "session-read-redis", sides: []side{
			{"ginauth", func(tb testing.TB) target { return readTarget(tb, ginauthRedis(tb), "/user") }},
			{"ginauth-auth", openCounted},
			{"scs", func(tb testing.TB) target { return readTarget(tb, scsRedis(tb), "/user") }},
			{"get", openGet},
			{"hgetall", openHGetAll},
		}},
		{name: "session-write-redis", sides: []side{
			{"ginauth", func(tb testing.TB) target { return writeTarget(tb, ginauthRedis(tb)) }},
			{"scs", func(tb testing.TB) target { return writeTarget(tb, scsRedis(tb)) }},
			{"get", openGet},
		}},
		{name: "session-put-redis", sides: []side{
			{"ginauth", func(tb testing.TB) target { return putTarget(tb, ginauthRedis(tb)) }},
			{"scs", func(tb testing.TB) target { return putTarget(tb, scsRedis(tb)) }},
			{"get", openGet},
		}},
		{name: "session-read-sqlite", sides: sqlSides(openSQLite, readUser)},
		{name: "session-read-postgres", sides: append(sqlSides(testservers.Postgres, readUser), selectSide(testservers.Postgres, "$1"))},
		{name: "session-read-mysql", sides: append(sqlSides(testservers.MySQL, readUser), selectSide(testservers.MySQL, "?"))},
		{name: "session-write-postgres", sides: append(sqlSides(testservers.Postgres, writeTarget), updateSide(testservers.Postgres))},
		{name: "session-write-mysql", sides: append(sqlSides(testservers.MySQL, writeTarget), updateSide(testservers.MySQL))},
	}
}

func readUser(tb testing.TB, handler http.Handler) target { return readTarget(tb, handler, "/user") }

func sqlSides(open func(testing.TB) *gorm.DB, job func(testing.TB, http.Handler) target) []side {
	return []side{
		{"ginauth", func(tb testing.TB) target {
			db := open(tb)
			if err := gormstore.Migrate(context.Background(), db); err != nil {
				tb.Fatal(err)
			}
			return job(tb, ginauthSessions(tb, gormstore.New(db)))
		}},
		{"gin-contrib", func(tb testing.TB) target {
			return job(tb, contribSessions(contribgorm.NewStore(open(tb), false, contribKey)))
		}},
	}
}

// selectSide reads one row by its primary key through database/sql alone, which is the least that a
// stored read costs. The row has as many bytes as a session, in one column.
func selectSide(open func(testing.TB) *gorm.DB, placeholder string) side {
	const size = 256
	type content struct {
		ID   string `gorm:"primaryKey;size:32"`
		Data []byte `gorm:"size:1048576"`
	}
	return side{"select", func(tb testing.TB) target {
		db := open(tb)
		if err := db.AutoMigrate(&content{}); err != nil {
			tb.Fatal(err)
		}
		ids := make([]string, clients)
		for i := range ids {
			ids[i] = fmt.Sprintf("%032x", i)
			if err := db.Create(&content{ids[i], make([]byte, size)}).Error; err != nil {
				tb.Fatal(err)
			}
		}
		stmt := prepare(tb, db, "SELECT data FROM contents WHERE id = "+placeholder)
		var next atomic.Int64
		r := newEngine()
		r.GET("/select", func(c *gin.Context) {
			var data []byte
			id := ids[next.Add(1)%clients] // each row in turn
			if err := stmt.QueryRowContext(c.Request.Context(), id).Scan(&data); err != nil || len(data) != size {
				c.AbortWithStatus(http.StatusServiceUnavailable)
				return
			}
			static(c)
		})
		return serve(r, plainRequests("/select", "hello"))
	}}
}

// prepare prepares a query on the connections of db.
func prepare(tb testing.TB, db *gorm.DB, query string) *sql.Stmt {
	pool, err := db.DB()
	if err != nil {
		tb.Fatal(err)
	}
	stmt, err := pool.Prepare(query)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = stmt.Close() })
	return stmt
}

// updateSide changes one row, which is the least that a stored write costs: the database answers
// once the change is on disk.
func updateSide(open func(testing.TB) *gorm.DB) side {
	type counter struct{ ID, N int64 }
	return side{"update", func(tb testing.TB) target {
		db := open(tb)
		if err := db.AutoMigrate(&counter{}); err != nil {
			tb.Fatal(err)
		}
		for id := range clients {
			if err := db.Create(&counter{ID: int64(id) + 1}).Error; err != nil {
				tb.Fatal(err)
			}
		}
		plain := db.Session(&gorm.Session{SkipDefaultTransaction: true, PrepareStmt: true})
		var next atomic.Int64
		r := newEngine()
		r.GET("/update", func(c *gin.Context) {
			id := next.Add(1)%clients + 1 // each row in turn
			changed := plain.WithContext(c.Request.Context()).Exec("UPDATE counters SET n = n + 1 WHERE id = ?", id)
			if changed.Error != nil || changed.RowsAffected != 1 {
				c.AbortWithStatus(http.StatusServiceUnavailable)
				return
			}
			static(c)
		})
		return serve(r, plainRequests("/update", "hello"))
	}}
}

// openSQLite opens a new file with the settings from the README.
func openSQLite(tb testing.TB) *gorm.DB {
	file := filepath.Join(tb.TempDir(), "app.db")
	return testservers.Connect(tb, sqlite.Open(file+"?_journal_mode=WAL&_busy_timeout=1000&_txlock=immediate"))
}

func ginauthRedis(tb testing.TB) http.Handler {
	client, prefix := testservers.Redis(tb)
	return ginauthSessions(tb, redisstore.New(client, redisstore.WithPrefix(prefix)))
}

func scsRedis(tb testing.TB) http.Handler {
	client, prefix := testservers.Redis(tb)
	return scsSessions(tb, goredisstore.NewWithPrefix(client, prefix))
}

// openGet gets one string with the size of a session from Redis.
func openGet(tb testing.TB) target {
	client, prefix := testservers.Redis(tb)
	key := prefix + "session"
	value := make([]byte, 128)
	if err := client.Set(context.Background(), key, value, 0).Err(); err != nil {
		tb.Fatal(err)
	}
	r := newEngine()
	r.GET("/get", func(c *gin.Context) {
		got, err := client.Get(c.Request.Context(), key).Bytes()
		if err != nil || len(got) != len(value) {
			c.AbortWithStatus(http.StatusServiceUnavailable)
			return
		}
		static(c)
	})
	return serve(r, plainRequests("/get", "hello"))
}

// openHGetAll gets one hash with as many fields as a session with four keys has, and of their size.
func openHGetAll(tb testing.TB) target {
	client, prefix := testservers.Redis(tb)
	key := prefix + "session"
	fields := map[string]any{
		"m": make([]byte, 84), "f": make([]byte, 40), "p": "", ":user": "1234567", ":visits": "1234567", ":name": "1234567", ":mail": "1234567",
	}
	if err := client.HSet(context.Background(), key, fields).Err(); err != nil {
		tb.Fatal(err)
	}
	r := newEngine()
	r.GET("/hash", func(c *gin.Context) {
		got, err := client.HGetAll(c.Request.Context(), key).Result()
		if err != nil || len(got) != len(fields) {
			c.AbortWithStatus(http.StatusServiceUnavailable)
			return
		}
		static(c)
	})
	return serve(r, plainRequests("/hash", "hello"))
}

// trips counts the round trips of a client to the server.
type trips struct{ n atomic.Int64 }

func (*trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		t.n.Add(1)
		return next(ctx, cmd)
	}
}

func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		t.n.Add(1)
		return next(ctx, cmds)
	}
}

// openCounted reads the logged-in user and counts round trips.
func openCounted(tb testing.TB) target {
	client, prefix := testservers.Redis(tb)
	counter := new(trips)
	client.AddHook(counter)
	handler := ginauthSessions(tb, redisstore.New(client, redisstore.WithPrefix(prefix)))
	t := readTarget(tb, handler, "/me")
	t.prepare = func(testing.TB, int) { counter.n.Store(0) }
	t.report = func(b *testing.B) { b.ReportMetric(float64(counter.n.Load())/float64(b.N), "trips/op") }
	check := t.check
	t.check = func(tb testing.TB) {
		check(tb)
		header := cookies(tb, send(handler, "POST", "/login/7", 7, nil))
		counter.n.Store(0)
		want(tb, handler, "GET", "/me", header, http.StatusOK, "7")
		if n := counter.n.Load(); n != 1 {
			tb.Errorf("a logged-in read takes %d round trips, want 1", n)
		}
	}
	return t
}
