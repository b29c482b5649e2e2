"""What puts Kuroshio on machines; `deploy.local` is the embedded stack, all sites on one machine."""
