{"key_id": "demo-publisher-2026-rules", "signature": "NwuxKD0XCvHUT8TZXwiOjTK8H6CTd+pHAow+zoSwWdHiTCx1qDXUXFSQhyI5dsRaegN5x2Jsu7IO74ul7GW4CA=="}
