package tokens

import "github.com/ginauth/ginauth/internal/jws"

// The access token of a login that must enrol a second factor has a type, a kind and an audience of
// its own, so that services which check access tokens themselves refuse it.
const (
	enrolmentType = "enrolment+jwt"
	enrolmentKind = "enrolment"
)

var enrolmentAudience = []string{"urn:ginauth:enrolment"}

// verifyLogin checks an access token by itself. MustEnrol says that its login can do nothing but
// enrol a second factor.
func (s *Service) verifyLogin(text string) (claims *jws.Verified, mustEnrol bool, err error) {
	claims, err = s.verify(accessType, AccessKind, text)
	if err == nil || !s.cfg.Enrolment {
		return claims, false, err
	}
	enrolment, otherErr := s.seen.VerifyClaims(enrolmentType, text)
	if otherErr != nil {
		return nil, false, err
	}
	return enrolment, true, enrolment.Check(s.env.Now(), s.cfg.Leeway, s.cfg.Issuer, enrolmentAudience[0], enrolmentKind)
}
