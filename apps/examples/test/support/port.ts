/** The first of fifty ports of this process's own: tests run beside each other, and some listen on the host. Below the kernel's ephemeral ones. */
export const PORT = 20_000 + (process.pid % 200) * 50
