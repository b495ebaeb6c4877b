package remember

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// cookie returns the name of a guard's remember-me cookie.
func cookie(r *request.State, g *Guard) string { return r.Jar.Sibling("remember_" + g.Name) }

// presented returns the token of the request's remember-me cookie, and the stored
// token. It returns false if there is none. A cookie that is not valid is deleted.
func (s *Service) presented(ctx context.Context, r *request.State, g *Guard) (token opaque.Token, found stores.Token, ok bool, err error) {
	name := cookie(r, g)
	text, ok := r.Jar.Get(r.HTTP.Header, name)
	if !ok {
		if twins := r.Twins(name); len(twins) > 0 {
			return s.presentedTwin(ctx, r, g, twins)
		}
	}
	if !ok || text == "" {
		return token, found, false, nil
	}
	return s.find(ctx, r, g, text)
}

// presentedTwin is presented for a request with several cookies of the name: it returns the one
// token that lives, or none if there are more.
func (s *Service) presentedTwin(
	ctx context.Context, r *request.State, g *Guard, twins []string,
) (token opaque.Token, found stores.Token, ok bool, err error) {
	for _, text := range twins {
		t, record, valid, err := s.find(ctx, r, g, text)
		switch {
		case err != nil:
			return token, found, false, err
		case !valid || !tokens.Lives(record, s.Env.Now()) || !record.Consumed.IsZero():
		case ok:
			return token, found, false, nil // who planted the other cannot be known
		default:
			token, found, ok = t, record, true
		}
	}
	if ok { // in case it is not replaced: the others are deleted
		s.send(r, g, token, found)
	}
	return token, found, ok, nil
}

// find returns a token and what is stored of it, if it is one of the guard's.
func (s *Service) find(ctx context.Context, r *request.State, g *Guard, text string) (token opaque.Token, found stores.Token, ok bool, err error) {
	token, ok = opaque.Parse(tokens.RememberPrefix, text)
	if !ok {
		r.DeleteCookie(cookie(r, g))
		return token, found, false, nil
	}
	found, ok, err = s.Tokens.Find(ctx, token)
	if err != nil {
		return token, found, false, err
	}
	if !ok && found.ID == "" {
		switch owner, missing := s.Tokens.Missing(ctx, token); {
		case errors.Is(missing, autherr.ErrUnavailable):
			return token, found, false, missing
		case errors.Is(missing, tokens.ErrReusedNow):
			id, _ := g.Realm.OwnerID(owner)
			s.Env.Dispatch(ctx, events.TokenReused{Meta: r.Meta(g.Name, id), Kind: string(stores.Remember), TokenID: token.Family})
		}
	}
	_, owned := g.Realm.OwnerID(found.Owner)
	if !ok || !owned || found.Kind != stores.Remember || !slices.Contains(found.Abilities, g.Name) {
		r.DeleteCookie(cookie(r, g))
		return token, found, false, nil
	}
	return token, found, true, nil
}

// recall starts a session for a remembered device. The token is consumed and replaced
// in one step of the store, so that the use of a stolen cookie is found out. A user whom the
// door does not admit stays remembered, and the request is anonymous.
func (s *Service) recall(ctx context.Context, r *request.State, sess *session.Session, g *Guard, door Door) (models.Authenticatable, error) {
	token, found, ok, err := s.presented(ctx, r, g)
	if err != nil || !ok {
		return nil, err
	}
	user, err := s.remembered(ctx, g, found)
	if err == nil && r.CookiesLost() {
		return s.recognize(ctx, sess, g, door, token, found, user)
	}
	if err == nil {
		how, refused := door.Admit(ctx, user)
		if errors.Is(refused, autherr.ErrUnavailable) {
			return nil, refused
		} else if refused != nil {
			return nil, nil
		}
		var next *tokens.Successor
		next, err = s.Tokens.Rotate(ctx, token, found, func(child opaque.Token) stores.Token {
			return s.record(r, g, child, user, found.Owner, found.FamilyExpires)
		})
		if err == nil {
			if err := s.begin(r, sess, g, user, next, how); err != nil {
				return nil, err
			}
			if !next.Again {
				s.endFormer(r, found.Owner, token.Family)
			}
			door.LoggedIn(ctx, user, how)
			return user, nil
		}
	}
	if errors.Is(err, autherr.ErrUnavailable) || errors.Is(err, autherr.ErrConfig) || errors.Is(err, autherr.ErrThrottled) {
		return nil, err // the cookie stays
	}
	if errors.Is(err, tokens.ErrReusedNow) {
		id, _ := g.Realm.OwnerID(found.Owner)
		s.Env.Dispatch(ctx, events.TokenReused{Meta: r.Meta(g.Name, id), Kind: string(stores.Remember), TokenID: token.Family})
	}
	return nil, s.forgetEnded(ctx, r, g, found, err)
}

// endFormer ends, off the request, the sessions that the series began before: the browser that
// had them was closed. Sessions within the grace time stay. They may be of parallel requests of
// the browser, which keeps one of them.
func (s *Service) endFormer(r *request.State, owner, series string) {
	before := s.Env.Now().Add(-s.Tokens.RememberGrace())
	r.AfterCommit(func() {
		s.Env.Background.TryRun(func() { // if too many jobs run, the next use of the cookie ends them
			ctx, span := s.Env.Span(context.Background())
			defer span.End()
			if err := s.Sessions.EndSeries(ctx, owner, series, before); err != nil {
				s.Env.Log.Warn("ginauth: former sessions of a remembered device not ended", "error", request.Cut(err.Error(), 512))
			}
		})
	})
}

// recognize identifies a remembered device in a request whose response cannot carry another token.
// Nothing is used up and no session begins. A thief who never lets a token be replaced gains no
// more than the use of the token until its owner comes back.
func (s *Service) recognize(
	ctx context.Context, sess *session.Session, g *Guard, door Door, token opaque.Token, found stores.Token, u models.Authenticatable,
) (models.Authenticatable, error) {
	usable, err := s.Tokens.Usable(ctx, token, found)
	if err != nil || !usable {
		return nil, err
	}
	how, refused := door.Admit(ctx, u)
	if errors.Is(refused, autherr.ErrUnavailable) {
		return nil, refused
	} else if refused != nil {
		return nil, nil
	}
	login := s.newLogin(g, u)
	login.Remembered, login.Series, login.MustEnrol = true, found.Family, how.MustEnrol
	sess.Borrow(g.Name, login)
	return u, nil
}

// forgetEnded deletes the cookie of a token that is refused. It keeps the cookie for a
// moment in which whatever ended the token, such as a password change, may have given
// the client another cookie.
func (s *Service) forgetEnded(ctx context.Context, r *request.State, g *Guard, found stores.Token, why error) error {
	if errors.Is(why, realm.ErrStamp) {
		_, err := s.Tokens.RevokeFamily(ctx, found.Family)
		return err
	}
	if !errors.Is(why, tokens.ErrEnded) || !s.endedJustNow(found) {
		r.DeleteCookie(cookie(r, g))
	}
	return nil
}

// endedJustNow reports whether the family of a token as found was ended moments ago,
// or since it was found.
func (s *Service) endedJustNow(found stores.Token) bool {
	now := s.Env.Now()
	return tokens.Lives(found, now) || !found.FamilyRevoked.IsZero() && now.Sub(found.FamilyRevoked).Abs() < session.SupersededFor
}

// remembered returns the user of a living token.
func (s *Service) remembered(ctx context.Context, g *Guard, found stores.Token) (models.Authenticatable, error) {
	if !tokens.Lives(found, s.Env.Now()) {
		return nil, tokens.ErrEnded
	}
	data, err := tokens.ParseData(found.Data)
	if err != nil {
		return nil, autherr.Unavailable("read remember token", err)
	}
	id, _ := g.Realm.OwnerID(found.Owner)
	return g.Realm.Check(ctx, id, stamp.Remember, data.Fingerprint[:])
}

// begin logs a remembered user into the session.
func (s *Service) begin(r *request.State, sess *session.Session, g *Guard, u models.Authenticatable, next *tokens.Successor, how Admission) error {
	login := s.newLogin(g, u)
	login.Remembered, login.Series, login.Second, login.MustEnrol = true, next.Token.Family, how.Second, how.MustEnrol
	if err := sess.LogIn(g.Name, login); err != nil {
		return err
	}
	s.send(r, g, next.Token, next.Record)
	if !tokens.Delivered(next.Record) {
		r.BeforeResponse(func(ctx context.Context) error { return s.Tokens.MarkDelivered(ctx, next.Token) })
	}
	r.Emit(events.Login{Meta: r.Meta(g.Name, u.AuthID()), Remembered: true})
	return nil
}

// remember makes the remember-me cookie of a login and returns the name of its series. The series
// of the cookie that it replaces ends: no client has it any more.
func (s *Service) remember(ctx context.Context, r *request.State, g *Guard, u models.Authenticatable) (series string, err error) {
	owner, err := g.Realm.TokenOwner(u)
	if err != nil {
		return "", err
	}
	former, found, ok, err := s.presented(ctx, r, g)
	if err != nil {
		return "", err
	}
	if ok && tokens.Lives(found, s.Env.Now()) {
		s.endReplaced(r, former.Family)
	}
	token := s.Tokens.NewToken()
	record := s.record(r, g, token, u, owner, s.Env.Now().Add(s.Config.Absolute))
	if err := s.Tokens.StoreLogin(ctx, r, g.Name, u.AuthID(), record); err != nil {
		return "", err
	}
	s.send(r, g, token, record)
	return token.Family, nil
}

// endReplaced ends the series of a cookie that this response replaces.
func (s *Service) endReplaced(r *request.State, series string) {
	r.AfterCommit(func() {
		ctx, span := r.Span(context.WithoutCancel(r.Context()))
		defer span.End()
		if _, err := s.Tokens.RevokeFamily(ctx, series); err != nil {
			s.Env.Log.WarnContext(ctx, "ginauth: a replaced remember-me cookie is still listed", "error", request.Cut(err.Error(), 256))
		}
	})
}

func (s *Service) send(r *request.State, g *Guard, token opaque.Token, record stores.Token) {
	r.SetCookie(cookie(r, g), token.Text(tokens.RememberPrefix), max(time.Second, record.Expires.Sub(s.Env.Now())))
}

// record returns what is stored of a token whose series ends at a time. The token itself ends when
// it is not used for the lifetime.
func (s *Service) record(r *request.State, g *Guard, token opaque.Token, u models.Authenticatable, owner string, end time.Time) stores.Token {
	unused := s.Env.Now().Add(s.Config.Lifetime)
	if end.Before(unused) {
		unused = end
	}
	data := tokens.Data{Bound: true, Fingerprint: g.Realm.Sum(stamp.Remember, u), Address: request.Cut(r.IP(), 64)}
	return stores.Token{
		ID: token.ID, Family: token.Family, Kind: stores.Remember, Owner: owner, Digest: token.Digest(),
		Abilities: g.abilities,
		Name:      r.UserAgent(), Data: data.Encode(), Created: s.Env.Now(), Expires: unused, FamilyExpires: end,
	}
}

// forget ends what the device is remembered by: the series of its session, and the
// series of its cookie.
func (s *Service) forget(ctx context.Context, r *request.State, g *Guard, series string) error {
	token, _, ok, err := s.presented(ctx, r, g)
	if err != nil {
		return err
	}
	if series != "" {
		if _, err := s.Tokens.RevokeFamily(ctx, series); err != nil {
			return err
		}
	}
	if ok && token.Family != series {
		if _, err := s.Tokens.RevokeFamily(ctx, token.Family); err != nil {
			return err
		}
	}
	if ok {
		r.DeleteCookie(cookie(r, g))
	}
	return nil
}
