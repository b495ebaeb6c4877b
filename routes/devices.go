package routes

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

func (s *server) deviceRoutes() []endpoint {
	return []endpoint{
		{Devices, true, s.users(), s.answer(Devices, s.devices)},
		{RevokeDevice, true, s.users(), s.answer(RevokeDevice, s.revokeDevice)},
		{LogoutDevices, s.can.ChangeStamp, s.users(s.m.ThrottleLogins()), s.answer(LogoutDevices, s.logoutDevices)},
	}
}

func (s *server) devices(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	devices, err := a.Devices(c.Request.Context())
	return reply{status: http.StatusOK, body: map[string]any{"devices": devices}}, err
}

func (s *server) revokeDevice(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	return done, a.RevokeDevice(c.Request.Context(), c.Param("id"))
}

func (s *server) logoutDevices(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in passwordInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	res, err := a.LogoutOtherDevices(c.Request.Context(), in.Password)
	if err != nil {
		return reply{}, err
	}
	return continued(res), nil
}
