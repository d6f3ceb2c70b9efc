package gitd

import (
	"io"
	"net"
	"os/exec"
)

// cut runs sshd between pipes and ends the connection after it sent so many
// bytes.
func (d *SSH) cut(cmd *exec.Cmd, c *net.TCPConn, limit int64) error {
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.wg.Go(func() {
		_, _ = io.Copy(in, c) // until the connection ends
		_ = in.Close()
	})
	_, _ = io.CopyN(c, out, limit)
	_ = c.Close()
	_ = cmd.Process.Kill()
	return cmd.Wait()
}
