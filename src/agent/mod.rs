//! Agent: the server side of deploy, started by sshd as a forced command.
