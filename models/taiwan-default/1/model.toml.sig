{"key_id": "demo-publisher-2026", "signature": "ha24jmbKZwxmD+khyWHaJhMKUw8WxX+Jpkc6+/s9/chUZdwjvi7skMwOL2MttuzF1YqedHVVoKLGkis7AhGuAw=="}
